"""The rows. Nothing in them opens a list: what is sealed stays sealed, keys are wrapped twice."""

from __future__ import annotations

from accounts.models.domains import BlockedDomain
from accounts.models.lists import (
    Device,
    DeviceQuerySet,
    DeviceType,
    Draft,
    KeySlot,
    KeySlotQuerySet,
    SlotKind,
    Vault,
    VaultState,
)
from accounts.models.people import User, UserManager
from accounts.models.proofs import IdentityProof
from accounts.models.records import AppendOnly, Attempt, Event, EventQuerySet, KeyCheck

__all__ = [
    "AppendOnly",
    "Attempt",
    "BlockedDomain",
    "Device",
    "DeviceQuerySet",
    "DeviceType",
    "Draft",
    "Event",
    "EventQuerySet",
    "IdentityProof",
    "KeyCheck",
    "KeySlot",
    "KeySlotQuerySet",
    "SlotKind",
    "User",
    "UserManager",
    "Vault",
    "VaultState",
]

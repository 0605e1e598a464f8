"""Proofs: that somebody showed at a provider who they are there, for one purpose, once."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models

from accounts.models.people import User


class IdentityProof(models.Model):
    """One fresh sign-in at an outside provider: asked for, come back, used. Who it was lies sealed, while it waits.

    Each change of its state is one UPDATE that names the state before, so that it happens once.
    """

    class State(models.TextChoices):
        """Where it stands."""

        PENDING = "pending"
        PROVEN = "proven"
        FAILED = "failed"
        SPENT = "spent"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(User, models.CASCADE, related_name="proofs")
    role = models.CharField(max_length=20)  # Or, to sign in again, the id of the sign-in app.
    purpose = models.CharField(max_length=20)
    target = models.CharField(max_length=64, blank=True)
    back = models.CharField(max_length=200)
    nonce = models.BinaryField(max_length=32)
    state_id = models.CharField(max_length=32, blank=True)  # Of the way back; empty once somebody came back by it.
    expected = models.BinaryField(max_length=32, null=True)  # The tag of who must come back.
    wanted = models.CharField(max_length=254, blank=True)  # Whom that is, masked.
    came = models.CharField(max_length=254, blank=True)  # Who came instead, masked.
    state = models.CharField(max_length=8, choices=State, default=State.PENDING)
    reason = models.CharField(max_length=16, blank=True)
    reference = models.CharField(max_length=16, blank=True)
    sealed_identity = models.BinaryField(null=True)
    signed_in_at = models.DateTimeField(null=True)
    made_at = models.DateTimeField()

    class Meta:
        indexes: ClassVar[tuple[models.Index, ...]] = (
            models.Index(fields=("user", "made_at"), name="proof_of_user_by_time"),
        )
        constraints = (
            # Who it was is kept while it waits to be used, and not a moment longer.
            models.CheckConstraint(
                condition=models.Q(sealed_identity=None) | models.Q(state="proven"), name="only_proven_holds_identity"
            ),
        )

    def __str__(self) -> str:
        return f"{self.purpose} {self.state} {self.id}"

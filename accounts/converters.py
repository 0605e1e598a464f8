"""How an entry's id stands in an address."""

from __future__ import annotations


class EntryId:
    """32 hexadecimal letters; anything else is no address."""

    regex = "[0-9a-f]{32}"

    def to_python(self, value: str) -> str:
        """The id as the list has it."""
        return value

    def to_url(self, value: str) -> str:
        """The id as it is."""
        return value

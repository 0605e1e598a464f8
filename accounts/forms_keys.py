"""What is typed where a list is opened in another browser, and where keys are made, changed and removed."""

from __future__ import annotations

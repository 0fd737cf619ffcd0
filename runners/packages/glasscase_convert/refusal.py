"""Why a conversion does not take place."""

from __future__ import annotations


class Refusal(Exception):
    """One sentence for the owner of the model: what is wrong and what to do."""

"""Why somebody is not signed in."""

from __future__ import annotations


class Refusal(Exception):
    """
    A sign-in that fails, as its page says it.

    :param status: of HTTP.
    :param sentence: for people; nothing of what a provider has sent that may be secret.
    :param is_known: whether the provider has signed the person in: then the page offers to sign out there.
    """

    def __init__(self, status: int, title: str, sentence: str, *, is_known: bool = False) -> None:
        super().__init__(sentence)
        self.status = status
        self.title = title
        self.sentence = sentence
        self.is_known = is_known

"""What readers think of an answer: an emoji, reasons and a comment, kept with the message and told to reporting."""

from __future__ import annotations

from dataclasses import dataclass, replace

from strata.app.sessions import Sessions
from strata.errors import Invalid
from strata.events import FeedbackGiven
from strata.types import Feedback, Principal

EMOJI = ("👍", "👎", "🎉", "😕", "⚠️")
REASONS = ("wrong", "incomplete", "outdated", "wrong-source", "unclear", "unsafe", "helpful", "well-cited")
LONGEST_COMMENT = 4000


@dataclass(frozen=True, slots=True)
class Opinions:
    """Feedback on the answers of one's own sessions. The event tells emoji and reasons, never the comment's words."""

    tenant: str
    sessions: Sessions

    async def rate(self, principal: Principal, message: str, feedback: Feedback | None) -> Feedback | None:
        """Keep the feedback in place of any before it, or take it back with None (told as an empty emoji).

        Raises `Invalid` for an emoji or a reason that is not offered, or for a message that is no answer; `NotFound`
        for somebody else's.
        """
        if feedback is not None:
            _check(feedback)
        session, answer, version = await self.sessions.message(principal, message)
        if answer.role != "assistant":
            raise Invalid("only answers take feedback, this is a question")
        given = feedback or Feedback("")
        fact = FeedbackGiven(
            tenant=self.tenant,
            actor=principal.id,
            session=session.id,
            assistant=session.assistant,
            message=message,
            emoji=given.emoji,
            reasons=given.reasons,
        )
        if feedback != answer.feedback:
            await self.sessions.rewrite(session, replace(answer, feedback=feedback), version, [fact])
        return feedback


def _check(feedback: Feedback) -> None:
    if feedback.emoji not in EMOJI:
        raise Invalid(f"{feedback.emoji!r} is not offered; choose from {' '.join(EMOJI)}")
    strange = sorted(set(feedback.reasons) - set(REASONS))
    if strange:
        raise Invalid(f"no reasons called {strange}; choose from {list(REASONS)}")
    if len(feedback.comment) > LONGEST_COMMENT:
        raise Invalid(f"a comment has at most {LONGEST_COMMENT} characters; this one has {len(feedback.comment)}")

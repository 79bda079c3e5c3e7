"""That a lesson was shown, or withheld by the trial: facts of the journal, without a word about the person."""

from __future__ import annotations

from datetime import datetime

from evenkeel.kernel.ids import content_id
from evenkeel.learning.lesson import Lesson
from evenkeel.learning.trial import HOLDOUT, Trial, arm_of
from evenkeel.storage.journal import Fact

KIND = "lesson_shown"


def shown(lesson: Lesson, borrower_id: str, at: datetime, trial: Trial) -> Fact:
    """The fact that a lesson's moment came. `shown` is false where the borrower's arm withholds it: both arms are on
    record, so that they are compared as assigned. The same moment twice is one fact."""
    arm = arm_of(borrower_id, trial)
    payload = {
        "lesson": lesson.id,
        "version": lesson.version,
        "moment": lesson.moment,
        "language": lesson.language,
        "example": lesson.example,
        "trial": trial.id,
        "arm": arm,
        "shown": arm != HOLDOUT,
    }
    event_id = content_id("lesson", borrower_id, lesson.id, lesson.version, str(lesson.moment), at.isoformat())
    return Fact(event_id, KIND, at, payload, borrower_id=borrower_id)

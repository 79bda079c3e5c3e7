"""That a lesson was shown, or withheld by the trial: facts of the journal, without a word about the person."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime

from evenkeel.kernel.errors import Conflict
from evenkeel.kernel.ids import content_id
from evenkeel.learning.lesson import Lesson
from evenkeel.learning.trial import HOLDOUT, LEARNING_1, Trial, arm_of
from evenkeel.storage.journal import Fact, Journal

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


def show(journal: Journal, lesson: Lesson, borrower_id: str, trial: Trial = LEARNING_1) -> bool:
    """Book that a lesson's moment has come for a borrower on record, once for each showing; whether it is shown, as the
    borrower's arm says."""
    fact = shown(lesson, borrower_id, journal.clock(), trial)
    with suppress(Conflict):  # told at this very instant already
        journal.append([fact])
    return bool(fact.payload["shown"])

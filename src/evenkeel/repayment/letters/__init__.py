"""Letters and papers of a plan, in Chinese and English, as PDF and as plain text."""

from evenkeel.repayment.letters.compose import letters_of
from evenkeel.repayment.letters.document import document_of
from evenkeel.repayment.letters.model import KINDS, Kind, Letter, Parties, Party
from evenkeel.repayment.letters.page import pdf, pictures
from evenkeel.repayment.letters.plain import text

__all__ = ["KINDS", "Kind", "Letter", "Parties", "Party", "document_of", "letters_of", "pdf", "pictures", "text"]

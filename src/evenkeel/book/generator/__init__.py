"""A made book: households, lenders and months whose marginals are the published ones. See docs/marginals.md."""

from evenkeel.book.generator.generate import Generated, generate, write_book
from evenkeel.book.generator.spec import GeneratorSpec
from evenkeel.book.generator.story import STORY_BORROWER

__all__ = ["STORY_BORROWER", "Generated", "GeneratorSpec", "generate", "write_book"]

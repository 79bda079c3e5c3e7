"""Training: phrases and their variants -> a table of points, calibrated and with levels, out of fold.

Folds are by phrase: a phrase and its variants stand on one side. The linear model is a multinomial logistic regression
(scikit-learn, L-BFGS), the temperatures minimise the log loss out of fold (Guo et al. 2017), and levels are chosen on
what was said out of fold. Same phrases, same versions: the same table.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.sparse import csr_matrix
from sklearn.cluster import KMeans
from sklearn.decomposition import TruncatedSVD
from sklearn.linear_model import LogisticRegression

from evenkeel.arrears.conversation.calibrating import Heard, Wanted, calibrate, macro_f1, recalls, thresholds_at
from evenkeel.arrears.conversation.corpus import CAUSES, INTENTS, Phrase, Phrases, variants
from evenkeel.arrears.conversation.deciding import JOKING, Levels
from evenkeel.arrears.conversation.features import BLOCKS, features
from evenkeel.arrears.conversation.points import GRAIN, FloatArray, Points, softmax

IntArray = NDArray[np.int64]
Report = Callable[[str, float], None]
WEIGHTS = {"c": 1.0, "w": 0.8, "p": 0.9, "n": 1.0}
_SMOOTH = 0.1


@dataclass(frozen=True, slots=True)
class Recipe:
    """How it is trained. variants: texts made of a phrase, itself included. strength: C of the regression. bayes:
    weight of the log ratios beside it. seen: in how many texts a feature must stand. folds: of the judgement.
    abstain: share of the texts that stand under the threshold out of fold, most intents' one. wanted: of the levels."""

    variants: int = 4
    strength: float = 4.0
    bayes: float = 0.5
    seen: int = 3
    folds: int = 5
    abstain: float = 0.12
    wanted: Wanted = field(default_factory=Wanted)
    seed: int = 1


@dataclass(frozen=True, slots=True)
class Texts:
    """The texts of all phrases: features, and by text its phrase, its weight, its language."""

    found: list[dict[str, list[str]]]
    phrase: IntArray
    first: NDArray[np.bool_]


def train(book: Phrases, recipe: Recipe | None = None, report: Report = lambda what, share: None) -> Points:
    """A table of points from phrases."""
    recipe = recipe or Recipe()
    report("texts", 0.0)
    texts = texts_of(book, recipe.variants)
    folds = fold_of(book.phrases, texts, recipe)
    intents = np.array([INTENTS.index(one.intent) for one in book.phrases])
    causes = np.array([CAUSES.index(one.cause) if one.cause else -1 for one in book.phrases])
    out = np.zeros((len(texts.phrase), len(INTENTS) + len(CAUSES)))
    for fold in range(recipe.folds):
        report("folds", 0.1 + 0.7 * fold / recipe.folds)
        inside = folds[texts.phrase] != fold
        table = _fit(texts, inside, intents, causes, recipe, book.digest)
        for row in np.flatnonzero(~inside):
            out[row] = table.score(texts.found[row])
    report("table", 0.8)
    table = _fit(texts, np.ones(len(texts.phrase), bool), intents, causes, recipe, book.digest)
    return _judged(table, texts, out, intents, causes, recipe)


def texts_of(book: Phrases, count: int) -> Texts:
    """The features of every phrase and its variants."""
    found, phrase, first = [], [], []
    for place, one in enumerate(book.phrases):
        for number, text in enumerate(dict.fromkeys(variants(one, book.words[one.language], count))):
            found.append(features(text))
            phrase.append(place)
            first.append(number == 0)
    return Texts(found, np.array(phrase), np.array(first))


def fold_of(phrases: Sequence[Phrase], texts: Texts, recipe: Recipe) -> IntArray:
    """The fold of each phrase: phrases of one intent that are alike stand in one fold.

    What people write resembles the phrases less than they resemble each other; a judgement on look-alikes would be too
    kind. Alike are those of one cluster (k-means on the first dimensions of the features, about eight a cluster).
    """
    firsts = [texts.found[row] for row in np.flatnonzero(texts.first)]
    rows, rarity = _vocabulary(firsts, recipe.seen)
    dense = TruncatedSVD(60, random_state=recipe.seed).fit_transform(_matrix(firsts, rows, rarity))
    folds = np.empty(len(phrases), np.int64)
    for group in sorted({(one.intent, one.language) for one in phrases}):
        places = np.array([place for place, one in enumerate(phrases) if (one.intent, one.language) == group])
        count = max(1, min(len(places), max(recipe.folds, len(places) // 8)))
        named = KMeans(count, n_init=1, random_state=recipe.seed).fit_predict(dense[places])
        sizes = np.zeros(recipe.folds)
        for cluster in sorted(range(count), key=lambda one: (-int((named == one).sum()), one)):
            fold = int(sizes.argmin())
            folds[places[named == cluster]] = fold
            sizes[fold] += (named == cluster).sum()
    return folds


def _vocabulary(found: Sequence[dict[str, list[str]]], seen: int) -> tuple[dict[str, int], FloatArray]:
    """The features that stand in enough texts, in order, and how rare each is."""
    counts = Counter(f"{block}:{one}" for text in found for block in BLOCKS for one in text[block])
    names = sorted(name for name, count in counts.items() if count >= seen)
    rarity = np.log((1 + len(found)) / (1 + np.array([counts[name] for name in names]))) + 1
    return {name: row for row, name in enumerate(names)}, np.round(rarity * GRAIN) / GRAIN


def _fit(
    texts: Texts, inside: NDArray[np.bool_], intents: IntArray, causes: IntArray, recipe: Recipe, digest: str
) -> Points:
    """A table from the texts inside, without temperatures and levels."""
    places = np.flatnonzero(inside)
    inner = [texts.found[row] for row in places]
    rows, rarity = _vocabulary(inner, recipe.seen)
    matrix = _matrix(inner, rows, rarity)
    phrase = texts.phrase[places]
    weight = np.where(texts.first[places], 1.0, 0.6)
    first, own_first = _regression(matrix, intents[phrase], weight, len(INTENTS), recipe)
    hard = causes[phrase] >= 0
    second, own_second = _regression(matrix[hard], causes[phrase][hard], weight[hard], len(CAUSES), recipe)
    points, own = np.hstack([first, second]), np.concatenate([own_first, own_second])
    return Points(rows, rarity, points, own, WEIGHTS, (1.0, 1.0), Levels({}, {}, {}), digest, {})


def _matrix(found: Sequence[dict[str, list[str]]], rows: dict[str, int], rarity: FloatArray) -> Any:
    """The texts as a sparse matrix, each block of unit length times its weight."""
    values: list[float] = []
    columns: list[int] = []
    starts = [0]
    for one in found:
        for block in BLOCKS:
            known = [row for name in one[block] if (row := rows.get(f"{block}:{name}")) is not None]
            if known:
                size = WEIGHTS[block] / np.sqrt(rarity[known] @ rarity[known])
                values += list(rarity[known] * size)
                columns += known
        starts.append(len(columns))
    return csr_matrix((values, columns, starts), (len(found), len(rows)))


def _regression(
    matrix: Any, labels: IntArray, weight: FloatArray, classes: int, recipe: Recipe
) -> tuple[FloatArray, FloatArray]:
    """Points of each feature for each class, and of each class."""
    model = LogisticRegression(C=recipe.strength, class_weight="balanced", max_iter=200, tol=1e-3)
    model.fit(matrix, labels, weight)
    points, own = np.zeros((matrix.shape[1], classes)), np.full(classes, -20.0)
    points[:, model.classes_] = model.coef_.T + recipe.bayes * _ratios(matrix, labels, weight, model.classes_)
    own[model.classes_] = model.intercept_
    return points, own


def _ratios(matrix: Any, labels: IntArray, weight: FloatArray, classes: IntArray) -> FloatArray:
    """For each feature and class, log of its share of the class over its share of the others (naive Bayes).

    What a regression has no need of among the phrases it knows still helps with words it does not (Wang & Manning
    2012)."""
    columns = []
    for one in classes:
        inside = np.asarray(matrix.T @ (weight * (labels == one))) + _SMOOTH
        beside = np.asarray(matrix.T @ (weight * (labels != one))) + _SMOOTH
        columns.append(np.log(inside / inside.sum()) - np.log(beside / beside.sum()))
    return np.stack(columns, axis=1)


def _judged(
    table: Points, texts: Texts, out: FloatArray, intents: IntArray, causes: IntArray, recipe: Recipe
) -> Points:
    """The table with temperatures and levels from what was said out of fold, and the figures of that.

    Levels are chosen on the phrases as they are written: variants are noisier than what people write."""
    cut = len(INTENTS)
    truth, cause = intents[texts.phrase], causes[texts.phrase]
    hard = cause >= 0
    warm = _temperature(out[:, :cut], truth), _temperature(out[hard, cut:], cause[hard])
    chances = softmax(out[:, :cut] / warm[0])
    notions = [frozenset(one["n"]) for one in texts.found]
    heard = Heard(
        chances, truth, np.array(["self_harm" in one for one in notions]),
        np.array([bool(one & JOKING) for one in notions]),
    )  # fmt: skip
    written = heard.of(texts.first)
    floor = float(np.quantile(chances.max(axis=1), recipe.abstain))
    levels = calibrate(written, thresholds_at(floor), recipe.wanted)
    figures = {
        "texts": len(truth), "features": len(table.rows), **_figures(heard, levels, ""),
        **_figures(written, levels, "_of_phrases"),
        "log_loss": round(float(-np.log(chances[np.arange(len(truth)), truth]).mean()), 4),
        "cause_accuracy": round(float((out[hard, cut:].argmax(axis=1) == cause[hard]).mean()), 4),
    }  # fmt: skip
    return replace(table, temperatures=warm, levels=levels, figures=figures)


def _figures(heard: Heard, levels: Levels, ending: str) -> dict[str, Any]:
    decided = heard.decided(levels)
    return {
        f"abstained{ending}": round(float(decided.undecided.mean()), 4),
        f"macro_f1{ending}": round(macro_f1(heard.truth, decided), 4),
        f"recall_decided{ending}": recalls(heard, decided),
    }


def _temperature(scores: FloatArray, truth: IntArray) -> float:
    """The temperature of the least log loss."""

    def loss(log_warm: float) -> float:
        chances = softmax(scores / np.exp(log_warm))
        return float(-np.log(np.maximum(chances[np.arange(len(truth)), truth], 1e-12)).mean())

    return round(float(np.exp(minimize_scalar(loss, bounds=(-2.0, 2.0), method="bounded").x)), 4)

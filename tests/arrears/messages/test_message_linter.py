"""What may not be said is found as it was written, whatever the disguise; what is harmless is let through."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from importlib.resources import files
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evenkeel.arrears.law import load_rules
from evenkeel.arrears.messages.grammar import CATEGORIES, load_grammar
from evenkeel.arrears.messages.kinds import kinds, kinds_in, stem
from evenkeel.arrears.messages.linter import lint
from evenkeel.arrears.messages.normal import read
from evenkeel.kernel.errors import InvalidInput

SENTENCES = files("evenkeel.arrears.messages") / "sentences"
HELD = Path(__file__).parent / "held"
FRESH = Path(__file__).parent / "fresh"
LANGUAGES = ("en", "zh")

# Words that are caught by a phrase, whole as they stand.
CAUGHT = (
    ("threat", "Pay or we will break your legs."),
    ("shame", "You are a deadbeat."),
    ("impersonation", "This is the sheriff's department."),
    ("third_party", "We will tell your boss about the debt."),
    ("false_legal", "You will be arrested."),
    ("hidden_fee", "Send it to my personal account."),
    ("pressure_to_borrow", "Max out your other card."),
    ("harassment", "We will call you every hour until you pay."),
    ("threat", "再不还钱就打断你的腿。"),
    ("shame", "你就是个老赖。"),
    ("impersonation", "我是公安局的，你马上还钱。"),
    ("third_party", "明天就通知你的家人和单位。"),
    ("false_legal", "不还钱就让你坐牢。"),
    ("hidden_fee", "转到我的微信，我帮你平账。"),
    ("pressure_to_borrow", "去别的平台借一笔先还上。"),
    ("harassment", "不接就呼死你。"),
)
# The same dangerous words, harmless in what they say.
HARMLESS = (
    "You cannot be arrested for this debt.",
    "We will never contact your family or your employer.",
    "If someone threatens you with jail, hang up and report it.",
    "Collectors may not threaten violence or use profane language.",
    "Beware of scams: never send money to a personal account.",
    "If we cannot agree, we may start court proceedings.",
    "Please don't borrow elsewhere to pay us; talk to us first.",
    "Mr Sheriff, thank you for your payment of $200.",
    "您不会因此坐牢。",
    "我们不会联系您的家人、朋友或单位。",
    "如有人冒充公检法要求您转账，请立即挂断并拨打110报警。",
    "催收人员不得采用暴力、威胁、恐吓、侮辱等方式催收。",
    "请勿向任何个人账户转账还款，谨防诈骗。",
    "逾期信息将如实报送征信系统，报送前我们会告知您。",
    "如协商不成，我们可能依法向人民法院提起诉讼，您可以寻求法律援助。",
    "听到您说不想活了，我们很担心您。请拨打12356心理援助热线，或联系您信任的家人朋友陪着您。",
)
# What a sentence does with the words, other than to say them to the reader: by stance.
STANCES = (
    ("denies", "欠款不会让您坐牢，这属于民事纠纷。"),
    ("denies", "No officer will come to your door because of it."),
    ("repeats", "您问会不会有人上门抓您，答案是不会。"),
    ("repeats", "You said a friend warned you about being deported."),
    ("quotes", "“不还钱就抓人”“上门抓你”这类说法都是恐吓，不要相信。"),
    ("warns", "自称检察院要您把钱转到“安全账户”的，一律是诈骗。"),
    ("warns", 'The email titled "Lawsuit filed against you" did not come from us and should be ignored.'),
    ("rights", "催收员无权冻结银行卡，更无权没收身份证。"),
    ("rights", "Threats to take your children away are unlawful; please save the message and complain."),
    ("amends", "对不起，昨天的同事说了“老赖”这样的话，已被停职并向您道歉。"),
    ("amends", "We apologise that your sister received a call meant for you. It has been logged as a breach."),
    ("teaches", "什么是失信被执行人？是指有能力履行却拒不履行生效判决、被法院列入名单的人。"),
    ("teaches", "Rolling one payday loan into another usually costs more than the first loan did."),
    ("lawful", "若判决生效后仍未履行，申请人可以向法院申请强制执行。"),
    ("lawful", "The lender may ask the county court to decide, and you can defend the claim."),
    ("place", "张法官大道36号自助银行可以存款还款。"),
    ("place", "Our office is at 12 Prison Lane, next to the old courthouse."),
    ("helps", "抢劫、盗刷造成的欠款，请先报警，我们凭回执暂停计息。"),
    ("helps", "If someone at home is hurting you, please call 999; forget about this bill."),
)
# A stance that is put on: it governs another clause, or none.
DISGUISES = (
    "我们不会打人，但是再不还钱就打断你的腿。",
    "这不是威胁，不还就让你坐牢。",
    "您可以投诉，但是我们会通知您的家人。",
    "您说没钱，那就等着坐牢吧。",
    "谨防诈骗，再不还就曝光你的照片。",
    "抱歉，我们会联系您的单位和家人。",
    "依法追究，今天不还就抓你。",
    "王警官路过你家，带你走。",
    "This is not a threat, but we will break your legs.",
    "You have the right to complain, but you will be arrested.",
    "You said you can't pay, so you will go to jail.",
    "Beware of scams, and pay now or you will be arrested.",
    "We are sorry, but we will tell your boss about the debt.",
)
# One meaning, the spellings by which filters are dodged.
DISGUISED = (
    ("false_legal", "you will be arr3sted"),
    ("false_legal", "you will go to j a i l"),
    ("false_legal", "you will go to j.a.i.l"),
    ("false_legal", "you will go to jaaaail"),
    ("false_legal", "ｙｏｕ ｗｉｌｌ ｇｏ ｔｏ ｊａｉｌ"),
    ("false_legal", "уоu will bе аrrеstеd"),  # Cyrillic
    ("false_legal", "you will be ar\u200bres\u200bted"),
    ("false_legal", "you will be arested"),
    ("false_legal", "youwillbearrested"),
    ("harassment", "pay, you f*** idiot"),
    ("false_legal", "不还钱就坐 牢"),
    ("false_legal", "不还钱就坐🔥牢"),
    ("false_legal", "不还钱就坐*牢"),
    ("false_legal", "不還錢就坐牢"),
    ("false_legal", "不还钱就做牢"),
    ("false_legal", "不还钱就座劳"),
    ("false_legal", "bu huan qian jiu rang ni zuo lao"),
    ("false_legal", "不还钱就zuolao"),
    ("false_legal", "不还钱就坐lao"),
    ("false_legal", "z u o 牢 的滋味想尝尝吗"),
    ("shame", "你就是个马扁子"),
    ("false_legal", "你进了黑名丹，已经列入"),
)


def sentences(kind: str, language: str) -> list[tuple[str, str]]:
    lines = (SENTENCES / f"{kind}.{language}.txt").read_text(encoding="utf-8").split("\n")
    return [(line.split("\t")[0], line.split("\t")[-1]) for line in lines if line and not line.startswith("#")]


def found(text: str) -> set[str]:
    return {one.category for one in lint(text).findings}


@pytest.mark.parametrize(("category", "text"), CAUGHT)
def test_what_may_not_be_said_is_found(category: str, text: str) -> None:
    assert category in found(text)


@pytest.mark.parametrize("text", HARMLESS)
def test_the_same_words_are_let_through_where_they_do_no_harm(text: str) -> None:
    assert lint(text).findings == ()


@pytest.mark.parametrize(("stance", "text"), STANCES)
def test_a_sentence_that_does_not_say_the_words_but_speaks_of_them_is_let_through(stance: str, text: str) -> None:
    assert lint(text).findings == (), stance


@pytest.mark.parametrize("text", DISGUISES)
def test_a_stance_that_is_put_on_protects_nothing(text: str) -> None:
    assert not lint(text).ok


@settings(max_examples=80, deadline=None)
@given(st.sampled_from(CAUGHT), st.sampled_from(HARMLESS), st.booleans(), st.booleans())
def test_what_is_said_outright_is_found_beside_a_harmless_clause(
    caught: tuple[str, str], other: str, first: bool, turned: bool
) -> None:
    harm, other = caught[1].rstrip(".。"), other.rstrip(".。")
    if harm.isascii() == other.isascii():
        comma = (", but " if turned else ", ") if harm.isascii() else ("，但是" if turned else "，")
        assert not lint(harm + comma + other if first else other + comma + harm).ok


@pytest.mark.parametrize(("category", "text"), DISGUISED)
def test_a_disguise_hides_nothing(category: str, text: str) -> None:
    assert category in found(text)


@pytest.mark.parametrize(
    "text", ["统计结果已发送。", "他老来得子。", "我们将通讯地址改为同级单位。", "an accident at the therapist"]
)
def test_words_of_their_own_that_only_sound_or_look_alike_are_let_through(text: str) -> None:
    assert lint(text).ok


def test_a_denial_that_is_none_protects_nobody() -> None:
    assert not lint("别以为你不会坐牢。").ok
    assert not lint("If you do not pay you will be arrested.").ok
    assert not lint("You will not call us? Otherwise you will be arrested.").ok


def test_every_sentence_shipped_is_judged_as_it_is_filed() -> None:
    for language in LANGUAGES:
        bad, good = sentences("bad", language), sentences("good", language)
        missed = [text for _, text in bad if lint(text).ok]
        wrong = [text for _, text in good if not lint(text).ok]
        assert len(missed) <= 0.05 * len(bad), missed
        assert len(wrong) <= 0.03 * len(good), wrong
        assert {category for category, _ in bad} == set(CATEGORIES)


def test_sentences_it_did_not_learn_from_are_judged_too() -> None:
    """`held/`: written afterwards and never taught. Too few for a fine figure; benchmarks/messages.py gives them."""
    judged = {
        kind: [
            lint(line.split("\t")[-1]).ok
            for language in LANGUAGES
            for line in (HELD / f"{kind}.{language}.txt").read_text(encoding="utf-8").splitlines()
        ]
        for kind in ("bad", "good")
    }
    assert sum(judged["bad"]) <= 0.1 * len(judged["bad"])
    assert sum(judged["good"]) >= 0.95 * len(judged["good"])


def test_sentences_in_another_voice_are_counted_as_at_first_sight() -> None:
    """`fresh/`: hard ones, in another voice, written last and never taught: polite, roundabout, dialect, and good ones
    full of dangerous words. What was found of them when they were first counted is held here.
    """
    judged = {
        kind: [
            lint(line.split("\t")[-1]).ok
            for language in LANGUAGES
            for line in (FRESH / f"{kind}.{language}.txt").read_text(encoding="utf-8").splitlines()
        ]
        for kind in ("bad", "good")
    }
    assert (len(judged["bad"]), len(judged["good"])) == (75, 75)
    assert sum(judged["bad"]) <= 16
    assert sum(not ok for ok in judged["good"]) <= 14


def test_a_kind_of_word_is_known_by_its_stem_and_by_the_longest_word() -> None:
    def named(text: str, language: str) -> set[str]:
        units, _ = read(text, load_grammar().words)
        return {kinds(language).names[kind] for kind, _, _ in kinds_in(units.surfaces, language)}

    assert {"family", "court"} <= named("our sisters and the solicitors", "en")
    assert "court" in named("起诉书", "zh") or "arrest" in named("起诉书", "zh")
    assert named("", "en") == named("", "zh") == set()


@pytest.mark.parametrize("language", LANGUAGES)
def test_kinds_are_found_where_they_stand(language: str) -> None:
    """Against a search of every stretch for every word: none is missed, none is made up."""
    book = kinds(language)
    for _, text in sentences("bad", language)[::37]:
        units, _ = read(text, load_grammar().words)
        some = kinds_in(units.surfaces, language)
        for kind, start, end in some:
            piece = "".join(units.surfaces[start:end])
            word = "#" if piece.isdigit() else stem(piece) if language == "en" else piece
            assert kind in book.words[word]
        begun = {start for _, start, _ in some}
        for start, one in enumerate(units.surfaces):
            word = "#" if one.isdigit() else stem(one) if language == "en" else one
            assert start in begun or word not in book.words


def test_each_finding_names_a_rule_on_record_and_quotes_its_words() -> None:
    rules = load_rules().rules
    for language in LANGUAGES:
        for _, text in sentences("bad", language)[::5]:
            for one in lint(text).findings:
                assert text[one.start : one.end] == one.words != ""
                assert one.citation == rules[one.rule].citation[one.language]
                assert lint(one.better).ok, one.better


def test_every_better_wording_and_rule_of_the_phrase_files_holds() -> None:
    book, rules = load_grammar(), load_rules().rules
    for patterns in book.by_head.values():
        for one in patterns:
            assert one.rule in rules
            assert lint(one.better).ok, (one.id, one.better, lint(one.better).findings)


NOISE = st.sampled_from(["\u200b", "\u200d", "\ufeff", " ", "🔥", "❤️", "　", "\u2060", "😀 "])


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_nothing_put_between_the_characters_of_caught_words_frees_them(data: st.DataObject) -> None:
    category, text = data.draw(st.sampled_from(CAUGHT))
    caught = next(one for one in lint(text).findings if one.category == category)
    noise = data.draw(NOISE)
    gaps = data.draw(st.sets(st.integers(caught.start + 1, caught.end - 1), min_size=1, max_size=4))
    dodged = "".join(noise + one if place in gaps else one for place, one in enumerate(text))
    if caught.language == "en" and (" " in noise or "\u3000" in noise or noise in "🔥❤️"):
        gaps = {
            place
            for place in range(caught.start + 1, caught.end)
            if text[place].isalpha() and text[place - 1].isalpha()
        }
        dodged = "".join(noise + one if place in gaps else one for place, one in enumerate(text))
    assert not lint(dodged).ok, dodged


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(CAUGHT), st.lists(st.sampled_from(HARMLESS), max_size=3))
def test_harmless_text_around_it_frees_nothing(caught: tuple[str, str], around: list[str]) -> None:
    category, text = caught
    assert category in found(" ".join([text, *around]))
    assert category in found(" ".join([*around, text]))


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=80))
def test_each_unit_knows_where_it_was_written(text: str) -> None:
    words = load_grammar().words
    for units in read(text, words):
        if units is not None:
            assert units.starts == sorted(units.starts)
            assert all(0 <= start < end <= len(text) for start, end in zip(units.starts, units.ends, strict=True))
    for one in lint(text).findings:
        assert text[one.start : one.end] == one.words


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(CAUGHT), st.sampled_from([str.upper, str.title, str.swapcase]))
def test_case_changes_nothing(caught: tuple[str, str], change: object) -> None:
    category, text = caught
    assert category in found(change(text))  # type: ignore[operator]


def test_what_is_no_text_is_refused() -> None:
    for wrong in (None, 3, b"pay", ["pay"]):
        with pytest.raises(InvalidInput):
            lint(wrong)  # type: ignore[arg-type]
    assert lint("").ok
    assert lint("  \u200b\n").ok


def test_the_same_text_gives_the_same_findings_in_another_process() -> None:
    code = "from evenkeel.arrears.messages.linter import lint; print(lint('Grown adults who cannot pay!').findings)"
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert other.strip() == str(lint("Grown adults who cannot pay!").findings)


@pytest.mark.parametrize(
    "text",
    ["坐" * 30_000, "a " * 30_000, "you will not " * 5_000, "家人通知" * 6_000, "j.a.i.l" * 7_000, "x" * 50_000],
)
def test_a_hostile_text_takes_bounded_time(text: str) -> None:
    small = text[: len(text) // 4]
    lint("warm")
    start = time.process_time()
    lint(small)
    middle = time.process_time()
    lint(text)
    assert time.process_time() - middle < 10 * (middle - start) + 0.5  # four times the text: not the square of it


@pytest.mark.parametrize(
    ("break_it", "told"),
    [
        (('category = "threat"', 'category = "rude"'), "category is 'rude'"),
        (('outright = "outright"', 'outright = "nothing"'), "outright names no concept"),
        (('scope = "sentence"', 'scope = "page"'), "scope is 'page'"),
        (('holds_for = "all"', 'holds_for = ["manners"]'), "holds_for names"),
        (('match = ["violence"]', 'match = ["nothing_such"]'), "no concept 'nothing_such'"),
        (("[better]", "[better"), "cannot be read"),
    ],
)
def test_a_phrase_file_that_is_wrong_is_told_in_words(tmp_path: Path, break_it: tuple[str, str], told: str) -> None:
    for language in LANGUAGES:
        source = (files("evenkeel.arrears.messages") / "phrases" / f"{language}.toml").read_text(encoding="utf-8")
        (tmp_path / f"{language}.toml").write_text(source.replace(*break_it, 1), encoding="utf-8")
    with pytest.raises(InvalidInput, match=told):
        load_grammar(tmp_path)


def test_a_lawyers_own_phrase_is_found_in_the_next_run(tmp_path: Path) -> None:
    for language in LANGUAGES:
        source = (files("evenkeel.arrears.messages") / "phrases" / f"{language}.toml").read_text(encoding="utf-8")
        source = source.replace(
            'violence = """\n',
            'violence = """\nquack like a duck,\n' if language == "en" else 'violence = """\n学鸭子叫 ',
            1,
        )
        (tmp_path / f"{language}.toml").write_text(source, encoding="utf-8")
    book = load_grammar(tmp_path)
    assert [one.words for one in lint("We will quack like a duck.", book).findings] == ["quack like a duck"]
    assert [one.words for one in lint("让你学 鸭 子 叫", book).findings] == ["学 鸭 子 叫"]


def test_the_command_marks_the_words_and_ends_with_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from click.testing import CliRunner

    from evenkeel.cli.arrears.lint import lint as command

    draft = tmp_path / "drafts.csv"
    draft.write_text("text\nThank you for your payment.\n你就是个老赖\n", encoding="utf-8")
    told = CliRunner().invoke(command, [str(draft), "--json"], standalone_mode=False)
    document = json.loads(told.stdout)
    assert told.return_value == 1
    assert (document["messages"], document["blocked"], document["findings"]["shame"]) == (2, 1, 1)
    shown = CliRunner().invoke(command, ["--text", "你就是个老赖", "--lang", "zh"], standalone_mode=False)
    assert "⟦老赖⟧" in shown.stdout
    piped = CliRunner().invoke(command, ["-"], input="Thank you.\n", standalone_mode=False)
    assert piped.return_value == 0

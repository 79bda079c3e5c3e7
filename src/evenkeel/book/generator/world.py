"""The world around the households: regions, industries, the published economy, shocks, and the parties that lend."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from evenkeel.kernel.calendar import month_number

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

# Provinces with their residents in millions (seventh national census, 2020): the weights of where borrowers live.
PROVINCES: Final[dict[str, float]] = {
    "Anhui": 61.0, "Beijing": 21.9, "Chongqing": 32.1, "Fujian": 41.5, "Gansu": 25.0, "Guangdong": 126.0,
    "Guangxi": 50.1, "Guizhou": 38.6, "Hainan": 10.1, "Hebei": 74.6, "Heilongjiang": 31.9, "Henan": 99.4,
    "Hubei": 57.8, "Hunan": 66.4, "Inner Mongolia": 24.0, "Jiangsu": 84.7, "Jiangxi": 45.2, "Jilin": 24.1,
    "Liaoning": 42.6, "Ningxia": 7.2, "Qinghai": 5.9, "Shaanxi": 39.5, "Shandong": 101.5, "Shanghai": 24.9,
    "Shanxi": 34.9, "Sichuan": 83.7, "Tianjin": 13.9, "Tibet": 3.6, "Xinjiang": 25.9, "Yunnan": 47.2,
    "Zhejiang": 64.6,
}  # fmt: skip
REGIONS: Final = tuple(PROVINCES)


@dataclass(frozen=True, slots=True)
class Industry:
    """share of borrowers; wage: mean yuan a month; risk: chance of losing the income against the mean; volatility."""

    name: str
    share: float
    wage: float
    risk: float
    volatility: float


# Wages of the first six: migrant workers 2024 (NBS, marginals 5). The others, and all risks, are judgement.
INDUSTRIES: Final = (
    Industry("manufacturing", 0.26, 4978, 1.0, 0.06),
    Industry("construction", 0.12, 5743, 1.4, 0.18),
    Industry("trade", 0.14, 4362, 1.1, 0.12),
    Industry("personal services", 0.11, 4023, 1.2, 0.12),
    Industry("transport", 0.08, 5635, 1.0, 0.15),
    Industry("catering", 0.08, 4141, 1.4, 0.14),
    Industry("technology", 0.06, 9200, 0.9, 0.05),
    Industry("education and health", 0.07, 6300, 0.4, 0.03),
    Industry("public service", 0.04, 6100, 0.2, 0.02),
    Industry("finance", 0.04, 8600, 0.7, 0.08),
)
MANUFACTURING: Final = 0

# Disposable income a head by quintile, yuan a year, 2020 and 2025 (NBS, marginals 5).
QUINTILES_2020: Final = (7_869.0, 16_443.0, 26_249.0, 41_172.0, 80_294.0)
QUINTILES_2025: Final = (10_150.0, 22_702.0, 35_536.0, 55_586.0, 103_778.0)

# Surveyed urban unemployment in percent, January to December (marginals 5).
_UNEMPLOYMENT: Final = {
    2019: (5.1, 5.3, 5.2, 5.0, 5.0, 5.1, 5.3, 5.2, 5.2, 5.1, 5.1, 5.2),
    2020: (5.3, 6.2, 5.9, 6.0, 5.9, 5.7, 5.7, 5.6, 5.4, 5.3, 5.2, 5.2),
    2021: (5.4, 5.5, 5.3, 5.1, 5.0, 5.0, 5.1, 5.1, 4.9, 4.9, 5.0, 5.1),
    2022: (5.3, 5.5, 5.8, 6.1, 5.9, 5.5, 5.4, 5.3, 5.5, 5.5, 5.7, 5.5),
    2023: (5.5, 5.6, 5.3, 5.2, 5.2, 5.2, 5.3, 5.2, 5.0, 5.0, 5.0, 5.1),
    2024: (5.2, 5.3, 5.2, 5.0, 5.0, 5.0, 5.2, 5.3, 5.1, 5.0, 5.0, 5.1),
    2025: (5.2, 5.4, 5.2, 5.1, 5.0, 5.0, 5.2, 5.3, 5.2, 5.1, 5.1, 5.1),
}


def national_unemployment(month: int) -> float:
    """Share of the urban labour force without work in a month number; the nearest published year outside 2019-2025."""
    year = min(max(month // 12, min(_UNEMPLOYMENT)), max(_UNEMPLOYMENT))
    return _UNEMPLOYMENT[year][month % 12] / 100


def quintile_incomes(month: int) -> FloatArray:
    """(5,) disposable yuan a head a year, interpolated geometrically between (and beyond) the two published years."""
    years = (month - month_number("2020-07")) / 60
    low, high = np.log(QUINTILES_2020), np.log(QUINTILES_2025)
    result: FloatArray = np.exp(low + (high - low) * min(max(years, -1.0), 2.0))
    return result


@dataclass(frozen=True, slots=True)
class Shock:
    """A blow to some industries in some regions: `reach` is the share of employers hit, for `length` months."""

    name: str
    months_before_end: int
    length: int
    regions: tuple[str, ...]
    industries: tuple[str, ...]
    reach: float
    income_left: float
    output_fall: float


# Two blows: a fall in building a year and a half ago, and the epidemic whose whole course a book of 24 months shows.
EPIDEMIC: Final = Shock(
    "epidemic", 6, 7, ("Beijing", "Guangdong", "Henan", "Hubei", "Shanghai", "Sichuan", "Zhejiang"),
    ("manufacturing", "trade", "catering", "personal services"), 0.057, 0.25, 0.20,
)  # fmt: skip
SHOCKS: Final = (
    Shock(
        "building slump", 17, 6, ("Guizhou", "Henan", "Hunan", "Tianjin", "Yunnan"), ("construction",), 0.28, 0.3, 0.18
    ),
    EPIDEMIC,
)


@dataclass(frozen=True, slots=True)
class Party:
    """A lender, platform, funder, guarantor or servicer, under an invented name."""

    party_id: str
    role: str
    actor_type: str
    name: str


@dataclass(frozen=True, slots=True)
class Lender:
    """A lender and the rule by which it grants.

    appeal: how often it is asked; upmarket: how much more often by high incomes; rate: annual.
    floor: the smallest share of a statement to pay. multiple: limit in months of believed income, within
    [low, high] yuan. min_income: yuan a month it must believe.
    trust: share of the declared income that it takes for true without proof; 1 marks the lax lender, which asks for
    none. watch: chance that it looks at the borrower's lines elsewhere and at the pay account.
    """

    party_id: str
    product: str
    platform_id: str | None
    funder_id: str | None
    guarantor_id: str | None
    appeal: float
    upmarket: float
    rate: float
    floor: float
    multiple: float
    low: int
    high: int
    min_income: int
    trust: float
    watch: float


PARTIES: Final = (
    Party("agency-dongsheng", "servicer", "agency", "Dongsheng Asset Services"),
    Party("agency-xinlian", "servicer", "agency", "Xinlian Collection Services"),
    Party("bank-haitai", "lender", "bank", "Haitai Bank"),
    Party("bank-linhe", "lender", "bank", "Linhe Bank"),
    Party("bank-nanxing", "lender", "bank", "Nanxing Commercial Bank"),
    Party("bank-qiaotou", "lender", "bank", "Qiaotou Direct Bank"),
    Party("bank-yunshan", "lender", "bank", "Yunshan Rural Bank"),
    Party("cf-anjia", "lender", "consumer_finance", "Anjia Consumer Finance"),
    Party("cf-leju", "lender", "consumer_finance", "Leju Consumer Finance"),
    Party("cf-mingri", "lender", "consumer_finance", "Mingri Consumer Finance"),
    Party("funder-beihai", "funder", "bank", "Beihai City Bank"),
    Party("funder-cuihu", "funder", "bank", "Cuihu Private Bank"),
    Party("guarantor-hengtong", "guarantor", "guarantor", "Hengtong Financing Guarantee"),
    Party("micro-huayun", "lender", "micro_loan", "Huayun Micro-credit"),
    Party("micro-jishi", "lender", "micro_loan", "Jishi Micro-credit"),
    Party("micro-kuaidai", "lender", "micro_loan", "Kuaidai Micro-credit"),
    Party("micro-shangcheng", "lender", "micro_loan", "Shangcheng Micro-credit"),
    Party("platform-loan-market", "platform", "platform", "Qianqiao loan market"),
    Party("platform-mall", "platform", "platform", "Shangcheng mall"),
    Party("platform-meals", "platform", "platform", "Weilai meals and travel"),
    Party("platform-pay", "platform", "platform", "Huayun pay"),
)

PAY_LATER: Final = "micro-huayun"
SHOPPING: Final = "micro-shangcheng"
LENDERS: Final = (
    Lender(
        PAY_LATER, "bnpl", "platform-pay", "funder-beihai", None,
        3.6, 0.0, 0.1460, 0.10, 1.1, 500, 30_000, 800, 0.75, 0.7,
    ),
    Lender(
        SHOPPING, "bnpl", "platform-mall", "funder-cuihu", None,
        1.6, 0.2, 0.1500, 0.10, 1.1, 500, 30_000, 1_200, 0.75, 0.7,
    ),
    Lender(
        "cf-leju", "bnpl", "platform-meals", None, None,
        0.5, 0.1, 0.1680, 0.10, 0.6, 300, 10_000, 1_000, 0.9, 0.4,
    ),
    Lender(
        "bank-linhe", "card", None, None, None,
        1.65, 0.9, 0.1825, 0.10, 5.6, 5_000, 120_000, 2_000, 0.6, 0.9,
    ),
    Lender(
        "bank-nanxing", "card", None, None, None,
        1.35, 0.9, 0.1825, 0.05, 5.4, 5_000, 100_000, 2_200, 0.7, 0.85,
    ),
    Lender(
        "bank-haitai", "card", None, None, None,
        0.9, 0.8, 0.1825, 0.10, 4.5, 3_000, 80_000, 1_800, 0.7, 0.85,
    ),
    Lender(
        "bank-yunshan", "card", None, None, None,
        0.5, 0.5, 0.1825, 0.10, 4.0, 3_000, 50_000, 1_500, 0.8, 0.8,
    ),
    Lender(
        "cf-anjia", "instalment", None, "funder-beihai", None,
        0.7, 0.0, 0.2100, 0.0, 1.5, 1_000, 60_000, 1_500, 0.8, 0.7,
    ),
    Lender(
        "cf-mingri", "instalment", "platform-loan-market", "funder-cuihu", "guarantor-hengtong",
        0.6, -0.1, 0.2280, 0.0, 1.5, 1_000, 50_000, 1_200, 0.85, 0.6,
    ),
    Lender(
        "bank-qiaotou", "cash", "platform-loan-market", "funder-beihai", "guarantor-hengtong",
        0.5, 0.1, 0.1980, 0.0, 2.0, 2_000, 80_000, 2_000, 0.75, 0.8,
    ),
    Lender(
        "micro-jishi", "cash", "platform-loan-market", "funder-cuihu", None,
        0.6, -0.3, 0.2340, 0.0, 1.3, 500, 30_000, 800, 0.9, 0.5,
    ),
    Lender(
        "micro-kuaidai", "cash", "platform-loan-market", None, None,
        0.4, -0.4, 0.2390, 0.0, 1.8, 500, 30_000, 0, 1.0, 0.0,
    ),
)  # fmt: skip
PRODUCT_NAMES: Final = ("bnpl", "card", "instalment", "cash")
BNPL, CARD, INSTALMENT, CASH = range(4)

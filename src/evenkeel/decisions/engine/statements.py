"""All SQL of the hot path: what a batch reads and writes, prepared once a connection, an array a column.

Read committed: each statement sees what was committed when it began, so what is locked by one statement is read by the
next. Whoever holds a borrower's lock sees every fact of that borrower, and the next number drawn from the journal's
sequence lies above them all.
"""

from __future__ import annotations

from evenkeel.decisions.assessment.alone import MOST_READ
from evenkeel.decisions.identity import store
from evenkeel.storage import chain
from evenkeel.storage.database import POSTING_LOCK, POSTINGS_LOCK, TOKEN_LOCK
from evenkeel.storage.journal import OF_ACCOUNTS

# Tables of a million rows and arrays of some hundred: always look up by index, whatever the statistics say or lack.
SETTINGS = (
    "SET plan_cache_mode = force_generic_plan",
    "SET enable_hashjoin = off",
    "SET enable_mergejoin = off",
    "SET enable_seqscan = off",
    "SET jit = off",
    "SET timezone = 'UTC'",
    "SET lock_timeout = '2s'",
    "SET statement_timeout = '20s'",
    "SET idle_in_transaction_session_timeout = '20s'",
)

BEGIN, COMMIT, ROLLBACK = b"begin", b"commit", b"rollback"
LOCK, LOCK_NAMED, READ, CHECKS = b"lock", b"lock_named", b"read", b"checks"
KNOWN, INCOME = b"known", b"income"
APPLICANT, USES, LISTED, LISTS, USE = b"applicant", b"uses", b"listed", b"lists", b"use"
TAIL, FACTS, PRODUCT = b"tail", b"facts", b"product"
APPEND, DECIDE, BORROWERS, GROWN, KEEP = b"append", b"decide", b"borrowers", b"grown", b"keep"

# Whether each borrower is ours now; none is where a large posting holds all.
_LOCK = f"""
SELECT free.all AND pg_try_advisory_xact_lock({POSTING_LOCK}, wanted.key)
FROM (SELECT pg_try_advisory_xact_lock_shared({POSTINGS_LOCK}, 0) AS all) AS free, unnest($1::int4[]) AS wanted (key)
"""  # noqa: S608 - constants

# The same where some name tokens: each those of $4 from $2 to $3, in order and only as far as they are free. Whoever
# lacks one lacks it to somebody who holds a later one or all: of any number who try at once one has all of its own.
_LOCK_NAMED = f"""
WITH RECURSIVE taken (place, next, until, free) AS (
    SELECT wanted.place, wanted.next, wanted.until,
        free.all AND pg_try_advisory_xact_lock({POSTING_LOCK}, wanted.key)
    FROM (SELECT pg_try_advisory_xact_lock_shared({POSTINGS_LOCK}, 0) AS all) AS free,
        unnest($1::int4[], $2::int4[], $3::int4[]) WITH ORDINALITY AS wanted (key, next, until, place)
    UNION ALL
    SELECT place, next + 1, until, pg_try_advisory_xact_lock({TOKEN_LOCK}, ($4::int4[])[next])
    FROM taken WHERE free AND next <= until
)
SELECT bool_and(free) FROM taken GROUP BY place ORDER BY place
"""  # noqa: S608 - constants

# Subqueries that stay subqueries: planned while a table is empty, a plain join would read all of it for ever after.
_READ = """
SELECT d.request, d.reply, e.request, b.seq, b.behaviour, b.grants, b.marks, b.lines,
    EXISTS (SELECT FROM journal AS j WHERE j.borrower_id = r.borrower_id AND j.seq > coalesce(b.seq, 0))
FROM unnest($1::uuid[], $2::text[], $3::text[]) AS r (decision_id, event_id, borrower_id)
LEFT JOIN LATERAL (SELECT request, reply FROM decision AS d WHERE d.decision_id = r.decision_id LIMIT 1) AS d ON true
LEFT JOIN LATERAL (
    SELECT payload ->> 'request' AS request FROM journal AS j WHERE j.event_id = r.event_id LIMIT 1
) AS e ON true
LEFT JOIN LATERAL (SELECT * FROM borrower AS b WHERE b.borrower_id = r.borrower_id LIMIT 1) AS b ON true
"""

# What stands in the journal beyond a borrower's row.
_TAIL = """
SELECT r.place, j.seq, j.event_id, j.kind, j.account_id, (extract(epoch FROM j.effective_at) * 1000000)::int8,
    (extract(epoch FROM j.booked_at) * 1000000)::int8, j.reversal_of, j.payload::text
FROM unnest($1::int4[], $2::text[], $3::int8[]) AS r (place, borrower_id, seq)
CROSS JOIN LATERAL (
    SELECT * FROM journal AS j WHERE j.borrower_id = r.borrower_id AND j.seq > r.seq OFFSET 0
) AS j
ORDER BY j.seq
"""

# Outside checks of who borrowers are, those that were answered.
_CHECKS = """
SELECT r.place, c.kind, c.result, (extract(epoch FROM c.checked_at) * 1000000)::int8, c.birth_year,
    c.person_token IS NOT NULL
FROM unnest($1::int4[], $2::text[]) AS r (place, borrower_id)
JOIN identity_check AS c ON c.borrower_id = r.borrower_id
WHERE c.result IS NOT NULL
"""

# Of events, those about an account that their lender opened, or about a borrower of whom nothing is on record or
# something by that lender.
_KNOWN = """
SELECT r.place
FROM unnest($1::int4[], $2::text[], $3::text[], $4::text[]) AS r (place, borrower_id, lender_id, account_id)
WHERE EXISTS (
    SELECT FROM journal AS j
    WHERE j.borrower_id = r.borrower_id AND coalesce(nullif(j.payload ->> 'lender_id', ''), '-') = r.lender_id
        AND CASE WHEN r.account_id IS NOT NULL THEN j.kind = 'account.opened' AND j.account_id = r.account_id
            ELSE j.kind = 'account.opened' OR starts_with(j.kind, 'event.') END
    OFFSET 0
) OR r.account_id IS NULL AND NOT EXISTS (SELECT FROM journal AS j WHERE j.borrower_id = r.borrower_id OFFSET 0)
"""

# Income that lenders told of in whole months, by the clock of a zone: how many of them show any, and the sum.
_INCOME = """
SELECT place, count(*), sum(total)::int8
FROM (
    SELECT r.place, date_trunc('month', j.effective_at AT TIME ZONE $6) AS month,
        sum((j.payload ->> 'amount_minor')::int8) AS total
    FROM unnest($1::int4[], $2::text[], $3::text[]) AS r (place, borrower_id, lender_id)
    CROSS JOIN LATERAL (
        SELECT * FROM journal AS j
        WHERE j.borrower_id = r.borrower_id AND j.kind = 'event.income' AND j.payload ->> 'lender_id' = r.lender_id
            AND j.effective_at >= ($4::date)::timestamp AT TIME ZONE $6
            AND j.effective_at < ($5::date)::timestamp AT TIME ZONE $6
        OFFSET 0
    ) AS j
    WHERE j.payload ? 'amount_minor'
    GROUP BY 1, 2
) AS months
WHERE total > 0
GROUP BY 1
"""

# Facts that say something of an applicant: the predicate of an index.
_APPLICANT = """
SELECT r.place, j.seq, j.event_id, j.kind, j.account_id, (extract(epoch FROM j.effective_at) * 1000000)::int8,
    (extract(epoch FROM j.booked_at) * 1000000)::int8, j.reversal_of, j.payload::text
FROM unnest($1::int4[], $2::text[]) AS r (place, borrower_id)
CROSS JOIN LATERAL (
    SELECT * FROM journal AS j WHERE j.borrower_id = r.borrower_id AND j.kind IN
        ('event.application', 'event.income', 'event.deposit', 'event.tradeline', 'event.bureau_report') OFFSET 0
) AS j
ORDER BY j.seq
"""

# The newest uses of tokens up to an instant, the oldest of them first.
_USES = f"""
SELECT r.place, r.kind, r.token, u.at_us, u.borrower_id, u.address, u.income_minor, u.seen_minor, u.usual_minor
FROM unnest($1::int4[], $2::text[], $3::text[], $4::int8[]) AS r (place, kind, token, at_us)
CROSS JOIN LATERAL (
    SELECT * FROM application_token AS u WHERE u.kind = r.kind AND u.token = r.token AND u.at_us <= r.at_us
    ORDER BY u.at_us DESC, u.application_id DESC LIMIT {MOST_READ}
) AS u
ORDER BY u.at_us, u.application_id
"""  # noqa: S608 - a constant

# What names borrowers on watch lists: the tokens that they declare now, and those on record of them.
_LISTED = """
SELECT known.place, w.reason, w.effective_from - date '0001-01-01' + 1, w.effective_until - date '0001-01-01' + 1
FROM (
    SELECT place, kind, token FROM unnest($3::int4[], $4::text[], $5::text[]) AS declared (place, kind, token)
    UNION SELECT r.place, t.kind, t.token FROM unnest($1::int4[], $2::text[]) AS r (place, borrower_id)
    CROSS JOIN LATERAL (
        SELECT kind, token FROM application_token AS t
        WHERE t.borrower_id = r.borrower_id AND t.kind IN ('device', 'phone', 'address', 'employer') OFFSET 0
    ) AS t
    UNION SELECT r.place, t.kind, t.token FROM unnest($1::int4[], $2::text[]) AS r (place, borrower_id)
    CROSS JOIN LATERAL (
        SELECT 'person' AS kind, person_token AS token FROM identity_check AS c
        WHERE c.borrower_id = r.borrower_id AND c.person_token IS NOT NULL
        UNION ALL SELECT 'card', card_token FROM identity_check AS c
        WHERE c.borrower_id = r.borrower_id AND c.card_token IS NOT NULL
    ) AS t
) AS known
CROSS JOIN LATERAL (
    SELECT * FROM watch_entry AS w
    WHERE w.kind = known.kind AND w.token = known.token AND w.withdrawn_at IS NULL OFFSET 0
) AS w
"""


_USE = """
INSERT INTO application_token (kind, token, at_us, application_id, borrower_id, address, income_minor, seen_minor,
    usual_minor)
SELECT kind, token, at_us, application_id, borrower_id, address, nullif(income, -9223372036854775808),
    nullif(seen, -9223372036854775808), nullif(usual, -9223372036854775808)
FROM unnest($1::text[], $2::text[], $3::int8[], $4::uuid[], $5::text[], $6::text[], $7::int8[], $8::int8[], $9::int8[])
    AS r (kind, token, at_us, application_id, borrower_id, address, income, seen, usual)
"""

_FACTS = f"""
SELECT account_id, borrower_id, kind, payload::text
FROM ({OF_ACCOUNTS.format(accounts="$1::text[]")}) AS j
ORDER BY seq
"""  # noqa: S608 - constants

_PRODUCT = """
SELECT payload ->> 'digest', payload ->> 'text' FROM journal
WHERE kind = 'account_product' AND payload ->> 'digest' = ANY ($1::text[])
"""

# `link` and `seq` are the last ones that this session drew, in the append before.
_DECIDE = """
INSERT INTO decision (decision_id, kind, lender_id, borrower_id, account_id, decided_at, known_seq, link, deciders,
    outcome, fired, request, used, reply)
SELECT decision_id, kind, lender_id, borrower_id, account_id, $13, known_seq, currval('chain_link'), deciders, outcome,
    fired, request, used, reply
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::int8[], $7::text[], $8::int4[],
    $9::bytea[], $10::bytea[], $11::bytea[], $12::text[])
    AS r (decision_id, kind, lender_id, borrower_id, account_id, known_seq, outcome, fired, request, used, reply,
        deciders)
"""

_WROTE = "CASE WHEN wrote THEN currval('journal_seq_seq') ELSE 0 END"
_STATES = """unnest($1::text[], $2::int8[], $3::int4[]::bool[], $4::bytea[], $5::bytea[], $6::bytea[],
    $7::bytea[], $8::int4[]) AS r (borrower_id, seq, wrote, behaviour, grants, marks, lines, lines_until)"""
_BORROWERS = f"""
INSERT INTO borrower (borrower_id, seq, behaviour, grants, marks, lines, lines_until)
SELECT borrower_id, greatest(seq, {_WROTE}), behaviour, grants, marks, lines, lines_until FROM {_STATES}
ON CONFLICT (borrower_id) DO UPDATE SET seq = excluded.seq, behaviour = excluded.behaviour, grants = excluded.grants,
    marks = excluded.marks, lines = excluded.lines, lines_until = excluded.lines_until
"""  # noqa: S608 - constants

# The same where their rows are there: an upsert would look each of them up and lock it first.
_GROWN = f"""
UPDATE borrower SET seq = greatest(r.seq, {_WROTE}), behaviour = r.behaviour, grants = r.grants, marks = r.marks,
    lines = r.lines, lines_until = r.lines_until
FROM {_STATES} WHERE borrower.borrower_id = r.borrower_id
"""  # noqa: S608 - constants

_KEEP = """
INSERT INTO artefact (version, kind, content)
SELECT version, kind, content FROM unnest($1::text[], $2::text[], $3::text[]) AS r (version, kind, content)
ON CONFLICT (version) DO NOTHING
"""

STATEMENTS = (
    (BEGIN, "BEGIN"), (COMMIT, "COMMIT"), (ROLLBACK, "ROLLBACK"), (LOCK, _LOCK),
    (LOCK_NAMED, _LOCK_NAMED), (READ, _READ), (CHECKS, _CHECKS), (KNOWN, _KNOWN),
    (INCOME, _INCOME), (APPLICANT, _APPLICANT),
    (USES, _USES), (LISTED, _LISTED), (LISTS, store.LISTS), (USE, _USE), (TAIL, _TAIL), (FACTS, _FACTS),
    (PRODUCT, _PRODUCT), (APPEND, chain.APPEND), (DECIDE, _DECIDE), (BORROWERS, _BORROWERS), (GROWN, _GROWN),
    (KEEP, _KEEP),
)  # fmt: skip

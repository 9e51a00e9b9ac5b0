"""What a bad network, many at once and the limits of AWS do to the store in DynamoDB."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from time import monotonic
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError
from msgspec.structs import replace
from tests.servers.base import until
from tests.servers.dynamodb import MiniStackServer
from tests.servers.proxy import Proxy

from interlock.errors import StoreError, StoreUnavailable
from interlock.stores.dynamodb.items import MAX_ITEM
from interlock.stores.dynamodb.kernel import DynamoKernel
from interlock.stores.dynamodb.options import DynamoOptions
from interlock.stores.kernel import Check, Delete, Page, Put
from interlock.testing.conformance.kernel_values import HOUR, NOON, a_record, at_once, keep, names, walk

pytestmark = pytest.mark.service


@pytest.fixture
def proxy(ministack_server: MiniStackServer) -> Iterator[Proxy]:
    with Proxy(ministack_server) as proxy:
        yield proxy


@pytest.fixture
def far(kernel: DynamoKernel, options: DynamoOptions, proxy: Proxy) -> Iterator[DynamoKernel]:
    """The same store through a bad network."""
    with closing(DynamoKernel(replace(options, endpoint=proxy.through(options.endpoint)))) as far:
        yield far


# ---------------------------------------------------------------- the network


def test_a_transaction_whose_answer_is_lost_is_done_once_and_said_to_be_done(
    kernel: DynamoKernel, far: DynamoKernel, proxy: Proxy
) -> None:
    """T-66: it is asked for again by its token, and both are one."""
    proxy.lose_reply(to=b"TransactWriteItems")
    assert far.commit("p", [Put(a_record()), Put(a_record(sk="b"))]) is True
    assert proxy.lost == 1
    assert kernel.rows("p", "", Page()) == [a_record(), a_record(sk="b")]


def test_a_transaction_that_was_done_is_no_failure_even_when_another_followed_it(
    kernel: DynamoKernel, far: DynamoKernel, proxy: Proxy
) -> None:
    """Whoever asks again under a token is told what became of the first try, not what the rows are by now."""
    batch = [Put(a_record()), Put(a_record(sk="b"))]
    calls = far._calls
    real = calls.client.transact_write_items

    def overtaken(**request: Any) -> Any:
        try:
            return real(**request)
        finally:
            kernel.commit("p", [Put(a_record(version=2))])

    calls.client.transact_write_items = overtaken
    proxy.lose_reply(to=b"TransactWriteItems")
    assert far.commit("p", batch) is True
    assert kernel.get("p", "a") == a_record(version=2)


def test_a_transaction_that_lost_after_a_try_of_unknown_outcome_is_not_called_lost(
    kernel: DynamoKernel, far: DynamoKernel
) -> None:
    """That try may still be on its way. False would say that it never happens, and it can, once what was in its way is gone."""
    calls = far._calls
    real, late = calls.client.transact_write_items, list[dict[str, Any]]()

    def delayed(**request: Any) -> Any:
        if late:
            return real(**request)
        late.append(request)
        keep(kernel, a_record())
        raise ReadTimeoutError(endpoint_url="somewhere")

    calls.client.transact_write_items = delayed
    batch = [Put(a_record()), Put(a_record(sk="b"))]
    with pytest.raises(StoreUnavailable, match="may or may not have happened"):
        far.commit("p", batch)
    assert kernel.commit("p", [Delete("a")])
    real(**late[0])
    assert names(kernel.rows("p", "", Page())) == ["a", "b"]


def test_a_transaction_whose_request_is_lost_is_sent_again(
    kernel: DynamoKernel, far: DynamoKernel, proxy: Proxy
) -> None:
    proxy.lose_request(to=b"TransactWriteItems")
    assert far.commit("p", [Put(a_record()), Check("b", 0)]) is True
    assert proxy.lost == 1
    assert kernel.get("p", "a") == a_record()


@pytest.mark.parametrize("way", ["reply", "request"])
def test_a_single_write_without_an_answer_is_of_unknown_outcome_and_never_sent_twice(
    kernel: DynamoKernel, far: DynamoKernel, proxy: Proxy, way: str
) -> None:
    """Sent again it would find its own row there, and call its own success somebody else's."""
    (proxy.lose_reply if way == "reply" else proxy.lose_request)(to=b"PutItem")
    with pytest.raises(StoreUnavailable, match="may or may not have happened"):
        far.commit("p", [Put(a_record())])
    assert kernel.get("p", "a") == (a_record() if way == "reply" else None)


def test_a_look_whose_answer_is_lost_is_taken_again(kernel: DynamoKernel, far: DynamoKernel, proxy: Proxy) -> None:
    keep(kernel, a_record(kind="k", wake_at=NOON))
    for verb in (b"GetItem", b"Query", b"BatchGetItem"):
        proxy.lose_reply(to=b"DynamoDB_20120810." + verb)
        assert far.get("p", "a") is not None
        assert names(far.rows("p", "", Page())) == ["a"]
        assert names(far.listing("k", Page())) == ["a"]
    assert proxy.lost == 3


def test_who_is_gone_is_told_within_seconds_and_found_again_when_back(far: DynamoKernel, proxy: Proxy) -> None:
    proxy.refuse()
    started = monotonic()
    with pytest.raises(StoreUnavailable, match=r"nobody answers there|connection was cut"):
        far.commit("p", [Put(a_record())])
    assert monotonic() - started < 20
    proxy.heal()
    assert far.commit("p", [Put(a_record())]) is True


def test_who_is_slow_is_waited_for(far: DynamoKernel, proxy: Proxy) -> None:
    """Slow is not gone."""
    proxy.delay(to_server=0.05, to_client=0.05)
    keep(far, a_record(), a_record(sk="b"))
    assert names(far.rows("p", "", Page())) == ["a", "b"]


def test_who_says_nothing_is_given_up_in_time(options: DynamoOptions, kernel: DynamoKernel, proxy: Proxy) -> None:
    hurried = replace(options, endpoint=proxy.through(options.endpoint), timeout=timedelta(seconds=2))
    with closing(DynamoKernel(hurried)) as far:
        proxy.hang()
        for verb in (lambda: far.get("p", "a"), lambda: far.commit("p", [Put(a_record()), Put(a_record(sk="b"))])):
            with pytest.raises(StoreUnavailable, match="did not come in time"):
                verb()
        proxy.heal()
        until(lambda: far.get("p", "z") is None, "the store is read again")


# ---------------------------------------------------------------- many at once


def test_of_32_threads_on_one_row_exactly_one_wins(kernel: DynamoKernel) -> None:
    """BUG-130. Alone and as part of a transaction."""
    for sk in ("0", "1", "2"):

        def create(me: int, sk: str = sk) -> bool:
            return kernel.commit("p", [Put(a_record(sk=sk, body={"by": me}))])

        def replace_(me: int, sk: str = sk) -> bool:
            return kernel.commit("p", [Put(a_record(sk=sk, version=2)), Put(a_record(sk=f"{sk}/{me}"))])

        won = at_once(32, create)
        assert won.count(True) == 1
        assert kernel.get("p", sk) == a_record(sk=sk, body={"by": won.index(True)})
        won = at_once(32, replace_)
        assert won.count(True) == 1
        assert names(kernel.rows("p", f"{sk}/", Page())) == [f"{sk}/{won.index(True)}"]


def test_two_who_make_the_table_at_once_both_have_it(options: DynamoOptions, aws: Any) -> None:
    kernels = at_once(4, lambda _: DynamoKernel(options))
    for number, kernel in enumerate(kernels):
        keep(kernel, a_record(sk=str(number)))
    assert len(kernels[0].rows("p", "", Page())) == 4
    for kernel in kernels:
        kernel.close()


# ---------------------------------------------------------------- sizes


def test_lists_go_on_behind_the_megabyte_that_aws_returns_at_once(kernel: DynamoKernel) -> None:
    """BUG-41: what lies behind it is not invisible."""
    rows = [a_record(sk=f"{number:02}", body={"x": "x" * 150_000}, kind="k") for number in range(24)]
    for row in rows:
        keep(kernel, row)
    assert names(kernel.rows("p", "", Page())) == names(rows)
    assert names(kernel.rows("p", "", Page(backwards=True))) == names(rows)[::-1]
    assert names(kernel.rows("p", "", Page(limit=20))) == names(rows)[:20]
    assert names(kernel.listing("k", Page())) == names(rows)
    step = kernel.walk(None, 1000)
    told, steps = list(step.found), 1
    while step.cursor is not None:
        step = kernel.walk(step.cursor, 1000)
        told, steps = [*told, *step.found], steps + 1
    assert told == rows
    assert steps > 3


def test_a_row_larger_than_an_item_is_refused_before_it_is_sent(kernel: DynamoKernel) -> None:
    large = a_record(sk="large", body={"x": "x" * MAX_ITEM})
    with pytest.raises(StoreError, match=r"the row 'large' of 'p' has 400,\d+ bytes.*can have 400,000.*Keep large"):
        kernel.commit("p", [Put(a_record()), Put(large)])
    with pytest.raises(StoreError, match="Nothing was written"):
        kernel.restore([a_record(), large])
    assert kernel.rows("p", "", Page()) == []


def test_the_largest_rows_that_are_taken_fit_into_an_item(kernel: DynamoKernel) -> None:
    row = a_record(body={"x": "é" * 199_800}, kind="k", wake_at=NOON, expires_at=NOON + 1_000_000 * HOUR)
    keep(kernel, row)
    assert kernel.get("p", "a") == row


def test_a_batch_larger_than_a_transaction_is_refused(kernel: DynamoKernel) -> None:
    with pytest.raises(StoreError, match=r"a commit of 11 rows of 'p' has 4,\d{3},\d{3} bytes"):
        kernel.commit("p", [Put(a_record(sk=str(number), body={"x": "x" * 390_000})) for number in range(11)])
    assert kernel.rows("p", "", Page()) == []


def test_places_as_long_as_the_contract_allows_are_kept_listed_and_due(kernel: DynamoKernel) -> None:
    """An index keeps 1,024 bytes of a place: beyond 960 the order is by digest, and no two are one."""
    stem = "slot/" + "é" * 400
    rows = [a_record(stem, f"{'x' * 690}{end}", kind="k" * 1000, wake_at=NOON, expires_at=NOON) for end in "abcde"]
    keep(kernel, *rows)
    found = walk(lambda page: kernel.listing("k" * 1000, page), lambda row: f"\0{row.pk}\0{row.sk}", Page(limit=2))
    assert sorted(names(found)) == names(rows)
    assert [place.sk for place in kernel.due(NOON, 10)] == names(rows)
    assert kernel.purge(NOON, 10) == 5

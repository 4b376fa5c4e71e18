"""Which published addresses a server opens: nothing of its own machine or its own secrets is within their reach."""

from __future__ import annotations

from pathlib import Path

import pytest

from qiantang.messaging.model import BacklogLimit, Cluster, Estate, OfflineStore, Resource, Store, Subscription, Topic
from qiantang_server.messaging.service.failures import NoDeadLetterStoreError, NotReachableError
from qiantang_server.messaging.service.reach import Reach
from qiantang_server.messaging.settings import MessagingSettings

GOOD = "postgresql://app:secret@db.shop:5432/messages"


def reach(**settings: str) -> Reach:
    return Reach(MessagingSettings(**settings))


def with_store(url: str) -> Estate:
    return Estate(store=Store(url=url))


def with_broker(adapter: str, url: str) -> Estate:
    cluster = Cluster(name="main", adapter=adapter, resources=[Resource(name="one", url=url)])
    return Estate(clusters=[cluster], topics=[Topic(name="t", clusters=["main"])], store=Store(url=GOOD))


@pytest.mark.parametrize(
    "url",
    [
        GOOD,
        "postgresql://app:secret@db.shop/messages?ssl=require",
        "mysql://app:secret@db.shop/messages",
        "mysql://app@db.shop/messages",
        "mariadb://app:secret@[::1]/messages",
    ],
)
def test_databases_with_credentials_of_their_own_are_opened(url: str) -> None:
    assert reach().take(with_store(url)).estate.store == Store(url=url)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql://db.shop/messages", "no name and password"),
        ("postgresql://app@db.shop/messages", "no name and password"),
        ("postgresql://app:secret@db.shop/m?passfile=/etc/shadow", "passfile"),
        ("postgresql://app:secret@db.shop/m?host=/run/postgresql", "host"),
        ("postgresql://app:secret@/m", "does not allow the host"),
        ("mysql://db.shop/m", "no name and password"),
        ("mysql://app:secret@db.shop/m?read_default_file=/etc/my.cnf", "read_default_file"),
        ("mysql://app:secret@db.shop/m?local_infile=1", "local_infile"),
        ("oracle://app:secret@db.shop/m", "oracle"),
        ("sqlite:////etc/passwd", "messaging.file_folders"),
        ("sqlite:///relative.sqlite3", "whole path"),
        ("sqlite://", "whole path"),
        ("sqlite:///:memory:", "whole path"),
        ("sqlite:////a/b?uri=true", "without parameters"),
        ("no address", "cannot be read"),
    ],
)
def test_other_databases_are_not(url: str, said: str) -> None:
    with pytest.raises(NotReachableError, match=said) as caught:
        reach().take(with_store(url))
    assert "secret" not in caught.value.detail


def test_files_are_those_below_the_folders_alone(tmp_path: Path) -> None:
    allowed, other = tmp_path / "allowed", tmp_path / "other"
    for folder in (allowed, other):
        folder.mkdir()
        (folder / "m.sqlite3").touch()
    (allowed / "link.sqlite3").symlink_to(other / "m.sqlite3")
    within = reach(file_folders=f"{tmp_path / 'none'}, {allowed}")
    within.take(with_store(f"sqlite:///{allowed / 'm.sqlite3'}"))
    for path in (other / "m.sqlite3", allowed / ".." / "other" / "m.sqlite3", allowed / "link.sqlite3"):
        with pytest.raises(NotReachableError, match="file_folders"):
            within.take(with_store(f"sqlite:///{path}"))
    with pytest.raises(NotReachableError, match="no file"):
        within.take(with_store(f"sqlite:///{allowed / 'gone.sqlite3'}"))
    assert not (allowed / "gone.sqlite3").exists()


def test_hosts_are_those_that_the_settings_name() -> None:
    within = reach(hosts="*.shop, 10.1.*")
    within.take(with_store(GOOD))
    for host in ("169.254.169.254", "localhost", "db.shop.evil"):
        with pytest.raises(NotReachableError, match=r"messaging\.hosts"):
            within.take(with_store(GOOD.replace("db.shop", host)))
    assert within.take(with_broker("kafka", "kafka://a.shop:9092,b.shop")).faults == {}
    assert "127.0.0.1" in within.take(with_broker("kafka", "kafka://a.shop:9092,127.0.0.1:9")).faults["t"]


@pytest.mark.parametrize(
    ("adapter", "url"),
    [
        ("kafka", "kafka://h:9092,[::1]:9092?security.protocol=SSL"),
        ("kafka", "kafka://name:password@h:9092"),
        ("rabbitmq", "amqp://name:password@h:5672/shop?queue_type=quorum"),
        ("activemq", "stomp://name:password@h:61613?priorities=true"),
        ("rocketmq", "rocketmq://h:9876?cluster=DefaultCluster"),
        ("sql", GOOD),
    ],
)
def test_brokers_that_are_opened(adapter: str, url: str) -> None:
    reached = reach().take(with_broker(adapter, url))
    assert (reached.faults, len(reached.estate.clusters)) == ({}, 1)


@pytest.mark.parametrize(
    ("adapter", "url", "said"),
    [
        ("memory", "memory://shop", "memory of a process"),
        ("carrier", "pigeon://roof", "not known to the console"),
        ("kafka", "kafka://h?plugin.library.paths=/tmp/x.so", "plugin.library.paths"),
        ("kafka", "kafka://h?sasl.kerberos.kinit.cmd=touch%20/tmp/x", "sasl.kerberos.kinit.cmd"),
        ("kafka", "kafka://h?security.protocol=SASL_SSL", "by which mechanism"),
        ("kafka", "kafka://h?security.protocol=SASL_SSL&sasl.mechanism=GSSAPI", "GSSAPI"),
        ("kafka", "kafka://h?ssl.ca.location=/etc/ca.pem", "file_folders"),
        ("rabbitmq", "amqps://h?keyfile=/etc/key.pem", "file_folders"),
        ("rabbitmq", "http://h", "none of amqp"),
        ("activemq", "stomp://h?jolokia=http%3A%2F%2Fmeta%2Flatest", "jolokia"),
        ("rocketmq", "rocketmq://h?namesrv=other", "namesrv"),
        ("sql", "sqlite:////etc/passwd", "file_folders"),
    ],
)
def test_brokers_that_are_not_leave_their_topics_out_and_say_why(adapter: str, url: str, said: str) -> None:
    reached = reach().take(with_broker(adapter, url))
    assert (reached.estate.clusters, reached.estate.topics) == ([], [])
    assert said in reached.faults["t"]
    assert "qiantang dead" in reached.faults["t"]


def test_an_estate_is_taken_without_what_works_by_itself() -> None:
    cluster = Cluster(name="main", adapter="kafka", resources=[Resource(name="one", url="kafka://h:9092")])
    topic = Topic(name="t", clusters=["main"], backlog=BacklogLimit(groups=["g"], most=1))
    estate = Estate(
        clusters=[cluster],
        topics=[topic],
        subscriptions=[Subscription(group="g", topic="t")],
        store=Store(url=GOOD),
        offline=OfflineStore(folder="/var/lib/x"),
        outbox=Store(url=GOOD),
    )
    taken = reach().take(estate).estate
    assert (taken.subscriptions, taken.offline, taken.outbox, taken.topics[0].backlog) == ([], None, None, None)


def test_without_a_store_there_are_no_dead_letters() -> None:
    with pytest.raises(NoDeadLetterStoreError, match="message policy"):
        reach().take(Estate())

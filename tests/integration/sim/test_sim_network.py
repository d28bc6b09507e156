"""The misbehaving network between a client and a real server, seen from both ends."""

from __future__ import annotations

import socket
import socketserver
import threading
import time

import msgspec
import pytest

from dsm_sim.network import NetworkBehaviour, running_network


class Echo(socketserver.BaseRequestHandler):
    def handle(self):
        while data := self.request.recv(65_536):
            self.request.sendall(data)


@pytest.fixture
def echo():
    """The port of a server that sends back what it gets."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Echo) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


@pytest.fixture
def network(echo):
    with running_network(target_port=echo) as running:
        yield running


def connect(network):
    return socket.create_connection(("127.0.0.1", network.port), timeout=10)


def exchange(client, data=b"hello"):
    """What comes back for it; shorter where the connection ends."""
    client.sendall(data)
    back = b""
    while len(back) < len(data) and (piece := client.recv(65_536)):
        back += piece
    return back


def breaks(network, data=b"hello"):
    try:
        with connect(network) as client:
            return exchange(client, data) != data
    except ConnectionError:
        return True


def test_network_carries_everything_both_ways_and_counts_it(network):
    data = bytes(range(256)) * 4000
    with connect(network) as client:
        sender = threading.Thread(target=client.sendall, args=(data,))
        sender.start()
        back = b""
        while len(back) < len(data):
            back += client.recv(65_536)
        sender.join()
    assert back == data
    counts = network.counts
    assert (counts.connections, counts.cut) == (1, 0)
    assert (counts.to_server_bytes, counts.to_client_bytes) == (len(data), len(data))


def test_end_of_one_way_leaves_the_other_open(network):
    with connect(network) as client:
        client.sendall(b"last words")
        client.shutdown(socket.SHUT_WR)
        back = b""
        while piece := client.recv(100):
            back += piece
    assert back == b"last words"


@pytest.mark.parametrize("way", ["to_server_bytes_per_s", "to_client_bytes_per_s"])
def test_rate_is_kept_each_way(network, way):
    network.behave(NetworkBehaviour(**{way: 200_000}))
    with connect(network) as client:
        began = time.monotonic()
        assert exchange(client, b"x" * 100_000) == b"x" * 100_000
    assert 0.4 <= time.monotonic() - began < 3


def test_slow_line_is_felt_by_the_sender(network):
    network.behave(NetworkBehaviour(to_server_bytes_per_s=50_000))
    with connect(network) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65_536)
        client.settimeout(1)
        with pytest.raises(TimeoutError):
            client.sendall(b"x" * 5_000_000)


def test_latency_is_added_each_way_and_costs_no_throughput(network):
    network.behave(NetworkBehaviour(latency_s=0.1))
    with connect(network) as client:
        began = time.monotonic()
        exchange(client)
        once = time.monotonic() - began
        assert exchange(client, b"x" * 300_000) == b"x" * 300_000
        assert time.monotonic() - began < 3
    assert once >= 0.2


def test_connections_are_cut_after_so_many_octets(network):
    network.behave(NetworkBehaviour(cut_after_bytes=1000))
    with connect(network) as client:
        client.sendall(b"x" * 5000)
        got = b""
        with pytest.raises(ConnectionResetError):
            while piece := client.recv(5000):
                got += piece
    assert len(got) < 1000
    counts = network.counts
    assert counts.to_server_bytes + counts.to_client_bytes == 1000
    assert counts.cut >= 1


def test_every_second_connection_is_cut_at_once(network):
    network.behave(NetworkBehaviour(cut_every_nth_connection=2))
    assert [breaks(network) for _ in range(4)] == [False, True, False, True]
    assert network.counts.cut == 2


def test_every_second_connection_is_cut_later(network):
    network.behave(NetworkBehaviour(cut_every_nth_connection=2, cut_after_bytes=100))
    assert [breaks(network, b"x" * 1000) for _ in range(4)] == [False, True, False, True]


def test_black_hole_swallows_until_it_is_over(network):
    with connect(network) as before:
        exchange(before)
        network.behave(NetworkBehaviour(black_hole=True))
        with connect(network) as during:
            for client in (before, during):
                client.sendall(b"hello")
                client.settimeout(0.1)
                with pytest.raises(TimeoutError):
                    client.recv(10)
            network.behave(NetworkBehaviour())
            for client in (before, during):
                client.settimeout(10)
                assert client.recv(10) == b"hello"


def test_network_goes_down_and_comes_back_on_the_same_port(network):
    with connect(network) as client:
        exchange(client)
        network.behave(NetworkBehaviour(down=True))
        with pytest.raises(ConnectionResetError):
            client.recv(1)
    for _ in range(2):
        with pytest.raises(ConnectionRefusedError):
            connect(network)
    network.behave(NetworkBehaviour())
    assert not breaks(network)


def test_network_leads_nowhere_until_told_where(echo):
    with running_network() as network:
        assert breaks(network)
        network.lead_to(echo)
        assert not breaks(network)


def test_network_that_is_down_at_first(echo):
    with running_network(NetworkBehaviour(down=True), echo) as network:
        with pytest.raises(ConnectionRefusedError):
            connect(network)
        network.behave(NetworkBehaviour())
        assert not breaks(network)


def test_network_ends_although_connections_are_open(echo):
    with running_network(target_port=echo) as network:
        client = connect(network)
        exchange(client)
        network.behave(NetworkBehaviour(black_hole=True))
    with pytest.raises(ConnectionResetError):
        client.recv(1)
    client.close()


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("latency-s = -1", "latency-s"),
        ("to-server-bytes-per-s = 0", "to-server-bytes-per-s"),
        ("cut-every-nth-connection = 0", "cut-every-nth-connection"),
        ("speed = 3", "speed"),
        ('down = "no"', "down"),
    ],
)
def test_behaviour_is_read_from_a_file_and_nonsense_refused(text, word):
    good = msgspec.toml.decode("latency-s = 0.5\ncut-after-bytes = 10", type=NetworkBehaviour)
    assert good == NetworkBehaviour(latency_s=0.5, cut_after_bytes=10)
    with pytest.raises(msgspec.ValidationError, match=word):
        msgspec.toml.decode(text, type=NetworkBehaviour)


def test_device_reaches_a_server_through_the_announced_port(start_server, connect):
    """The server names the network's port, and TLS goes through as it is."""
    with running_network() as network:
        server = start_server(announced_port=network.port)
        network.lead_to(server.port)
        assert server.address == f"https://localhost:{network.port}/ScanServer"
        device = connect(server)
        server.port = network.port
        token = device.new_job()
        assert device.send(token).status == 200
        assert device.end(token).status == 200
        assert server.report().violations == ()
        assert network.counts.connections == 1

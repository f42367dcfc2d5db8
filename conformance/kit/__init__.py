"""What battery tests share: waiting, threads, child programs, socket peers. No pytest fixture, no loop, no verdict.

Peers of the loop under test use plain blocking sockets and threads, so that a broken loop cannot break the judge.
"""

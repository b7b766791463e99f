"""The client written with Vantiq's SDK for Python: the same work as `ours.rs`. It has no receipts to await."""

import asyncio
import os
import resource
import sys
import threading

from vantiqconnectorsdk import VantiqConnectorSet, VantiqConnector, VantiqSourceConnection, setup_logging

ROWS_IN_A_PARTIAL = 100
WITHOUT_TEXT = len('{"sequence":1234567,"celsius":21.5,"text":""}')


def reading(sequence, text):
    return {'sequence': sequence, 'celsius': 21.5, 'text': text}


class Measured:
    def __init__(self, connection: VantiqSourceConnection):
        self.connection = connection
        self.text = ''
        self.published = 0
        self.sending = False
        self.sent = 0
        self.task = None
        connection.configure_handlers(self.close, self.connect, self.publish, self.query)

    async def connect(self, _ctx, config):
        self.text = 'x' * max(0, config['notificationBytes'] - WITHOUT_TEXT)

    async def close(self, _ctx):
        self.sending = False

    async def publish(self, _ctx, event):
        self.published += 1
        then = event.get('then', 'Nothing')
        if then == 'Report':
            done, self.published = self.published, 0
            await self.connection.send_notification({'done': done})
        elif then == 'Notify':
            await self.connection.send_notification(reading(event['sequence'], self.text))
        elif then == 'Start':
            self.sending = True
            self.task = asyncio.create_task(self.pump())
        elif then == 'Stop':
            self.sending = False

    async def pump(self):
        while self.sending:
            await self.connection.send_notification(reading(self.sent, self.text))
            self.sent += 1
            # Else nothing is ever read: sending does not wait while the socket takes more.
            if self.sent % 64 == 0:
                await asyncio.sleep(0)
        await self.connection.send_notification({'done': self.sent})

    async def query(self, ctx, ask):
        respond = self.connection.send_query_response
        if 'sleepMs' in ask:
            await asyncio.sleep(ask['sleepMs'] / 1000)
        rows = ask.get('rows', 0)
        if rows == 0:
            await respond(ctx, VantiqConnector.QUERY_COMPLETE, reading(ask['sequence'], 'a row'))
            return
        for first in range(0, rows, ROWS_IN_A_PARTIAL):
            partial = [reading(number, 'a row') for number in range(first, first + ROWS_IN_A_PARTIAL)]
            await respond(ctx, VantiqConnector.QUERY_PARTIAL, partial)
        await respond(ctx, VantiqConnector.QUERY_EMPTY, None)


def end_with_the_server():
    """However the server ends, its end of the pipe is closed."""
    sys.stdin.read(1)
    os._exit(0)


async def main():
    connectors = VantiqConnectorSet()
    measured = [Measured(connection) for connection in connectors.get_connections().values()]
    await connectors.run_connectors()
    return measured


core = os.environ.get('VANTIQ_BENCH_CORE')
if core and hasattr(os, 'sched_setaffinity'):
    os.sched_setaffinity(0, {int(core)})
_, most = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
threading.Thread(target=end_with_the_server, daemon=True).start()
setup_logging()
asyncio.run(main())

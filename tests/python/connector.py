"""A connector on Vantiq's connector SDK, for the `server.config` in the folder `serverConfig`.

A publish `{"notify": X}` sends the event X. A query `{"rows": N}` answers with N rows, each but the last in a part of its
own, `{"configuration": true}` with the configuration, `{"fail": TEXT}` with an error.
"""
import asyncio

from vantiqconnectorsdk import VantiqConnector, VantiqConnectorSet, VantiqSourceConnection, setup_logging


class Connector:
    def __init__(self) -> None:
        self.set = VantiqConnectorSet()
        self.configuration = None
        self.set.configure_handlers_for_all(self.close, self.connect, self.publish, self.query)

    def source(self, ctx: dict) -> VantiqSourceConnection:
        return self.set.get_connection_for_source(ctx[VantiqConnector.SOURCE_NAME])

    async def connect(self, _ctx: dict, configuration: dict) -> None:
        self.configuration = configuration

    async def publish(self, ctx: dict, message: dict) -> None:
        await self.source(ctx).send_notification(message['notify'])

    async def query(self, ctx: dict, query: dict) -> None:
        source = self.source(ctx)
        if 'fail' in query:
            error = {'messageCode': 'com.example.failed', 'messageTemplate': 'It failed: {0}',
                     'parameters': [query['fail']]}
            return await source.send_query_error(ctx, error)
        if 'configuration' in query:
            return await source.send_query_response(ctx, 200, self.configuration)
        for row in range(query['rows'] - 1):
            await source.send_query_response(ctx, 100, {'row': row})
        await source.send_query_response(ctx, 200, {'row': query['rows'] - 1})

    async def close(self, _ctx: dict) -> None:
        pass


# Without it the SDK fails.
setup_logging()
asyncio.run(Connector().set.run_connectors())

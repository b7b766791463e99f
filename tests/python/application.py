"""An application that uses Vantiq's client SDK: publishes to a source, queries it and hears of its events.

    application.py URL TOKEN USER PASSWORD

The source is the thermostat of the README. Ends with an error where anything is not as it should be.
"""
import asyncio
import sys

from vantiqsdk import Vantiq, VantiqException, VantiqResources

# How long anything may take that should happen.
PATIENCE = 20


async def main(url: str, token: str, user: str, password: str) -> None:
    async with Vantiq(url) as client:
        await client.authenticate(user, password)
        assert client.get_access_token() == token
        await client.refresh()
        await sources(client)
        await events(client)
        await queries(client)
        await topics(client)
    async with Vantiq(url) as client:
        await client.set_access_token('wrong')
        refused = await client.select(VantiqResources.SOURCES)
        assert refused.status_code == 401 and refused.errors[0].code == 'io.vantiq.authentication.failed', refused
        try:
            await client.start_subscriber_transport()
            raise AssertionError('a wrong token is refused')
        except VantiqException as refusal:
            assert 'io.vantiq.authentication.failed' in str(refusal), refusal


async def sources(client: Vantiq) -> None:
    found = ok(await client.select_one(VantiqResources.SOURCES, 'thermostat'))
    assert found.body['config'] == {'unit': 'celsius'}, found
    ok(await client.insert(VantiqResources.SOURCES, {'name': 'spare', 'type': 'EXTENSION', 'config': {'a': 1}}))
    again = await client.insert(VantiqResources.SOURCES, {'name': 'spare'})
    assert again.status_code == 409, again
    changed = ok(await client.update(VantiqResources.SOURCES, 'spare', {'config': {'a': 2}}))
    assert changed.body['config'] == {'a': 2}, changed
    ok(await client.upsert(VantiqResources.SOURCES, {'name': 'spare', 'config': {'a': 3}}))
    chosen = ok(await client.select(VantiqResources.SOURCES, ['name', 'config'], {'name': 'spare'}))
    assert chosen.body == [{'name': 'spare', 'config': {'a': 3}}], chosen
    counted = ok(await client.count(VantiqResources.SOURCES))
    assert counted.count == 2, counted
    ok(await client.delete_one(VantiqResources.SOURCES, 'spare'))
    gone = await client.select_one(VantiqResources.SOURCES, 'spare')
    assert gone.status_code == 404, gone
    ok(await client.insert(VantiqResources.SOURCE_IMPLS, {'name': 'METER', 'baseType': 'EXTENSION'}))
    assert ok(await client.select_one(VantiqResources.SOURCE_IMPLS, 'METER')).body['baseType'] == 'EXTENSION'


async def events(client: Vantiq) -> None:
    heard = Heard()
    ok(await client.subscribe(VantiqResources.SOURCES, 'thermostat', None, heard))
    assert (await heard.next())[0] == 'connect'
    ok(await client.publish(VantiqResources.SOURCES, 'thermostat', {'target': 21.0}))
    kind, event = await heard.next()
    assert kind == 'message' and event['body']['path'] == '/sources/thermostat/receive', event
    assert event['body']['value'] == {'accepted': 21.0, 'unit': 'celsius'}, event
    # A new configuration, and the connector uses it.
    ok(await client.update(VantiqResources.SOURCES, 'thermostat', {'config': {'unit': 'kelvin'}}))
    await until_attached(client)
    ok(await client.publish(VantiqResources.SOURCES, 'thermostat', {'target': 300.0}))
    _, event = await heard.next()
    assert event['body']['value'] == {'accepted': 300.0, 'unit': 'kelvin'}, event


async def queries(client: Vantiq) -> None:
    current = ok(await client.query('thermostat', {'op': 'current'}))
    assert current.body == {'value': 21.5}, current
    history = ok(await client.query('thermostat', {'op': 'history', 'days': 1000}))
    assert [row['day'] for row in history.body] == list(range(1000)), history
    odd = await client.query('thermostat', {'op': 'dance'})
    assert odd.status_code == 400 and 'unknown variant' in odd.errors[0].message, odd
    nobody = await client.query('nowhere', {})
    assert nobody.status_code == 404, nobody


async def topics(client: Vantiq) -> None:
    heard = Heard()
    ok(await client.subscribe(VantiqResources.TOPICS, '/some/topic', None, heard))
    assert (await heard.next())[0] == 'connect'
    ok(await client.publish(VantiqResources.TOPICS, '/some/topic', {'hello': 'world'}))
    assert (await heard.next())[1]['body']['value'] == {'hello': 'world'}


async def until_attached(client: Vantiq) -> None:
    """Asks until the connector is attached again; meanwhile the source has no session."""
    async with asyncio.timeout(PATIENCE):
        while not (await client.query('thermostat', {'op': 'current'})).is_success:
            await asyncio.sleep(0.01)


def ok(response):
    assert response.is_success, response
    return response


class Heard:
    """What a subscription brings."""

    def __init__(self):
        self._heard = asyncio.Queue()

    async def __call__(self, kind: str, message: dict) -> None:
        self._heard.put_nowait((kind, message))

    async def next(self):
        return await asyncio.wait_for(self._heard.get(), PATIENCE)


asyncio.run(main(*sys.argv[1:]))

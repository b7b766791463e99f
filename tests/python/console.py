"""Clicks through all of the simulator's console in a headless Chromium.

    console.py ADDRESS TOKEN

The address is the one with the token, as the simulator prints it. What happens behind the page, such as a restart of the simulator, is asked for in lines on standard output; each is
answered by a line on standard input. Ends with an error where anything is not as it should be, and where the browser's
console has an error or a warning that was not provoked on purpose.
"""
import json
import os
import re
import sys
from contextlib import contextmanager

from playwright.sync_api import BrowserContext, Locator, Page, expect, sync_playwright

# How long anything may take that should happen, in ms.
PATIENCE = 20_000
# How soon a click must have its effect while frames pour in, in ms.
PROMPT = 1_000
# Contrast of text that WCAG AA asks for.
CONTRAST = 4.5
CHROMIUM = os.environ.get('CHROMIUM', '/usr/bin/chromium')
ARGUMENTS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
             '--disable-component-update', '--disable-sync']
WIDE, NARROW = {'width': 1280, 'height': 800}, {'width': 360, 'height': 740}
# What Chromium itself says of a request that fails; the page can do nothing about it.
AWAY = r'net::ERR_(CONNECTION_REFUSED|INCOMPLETE_CHUNKED_ENCODING|CONNECTION_RESET|EMPTY_RESPONSE)'
REFUSED = r'the server responded with a status of 400'
UNAUTHORIZED = r'the server responded with a status of 401'


def main(address: str, token: str) -> None:
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        for scheme in ['light', 'dark']:
            for size in [WIDE, NARROW]:
                round_of(f'everything, {scheme}, {size["width"]} px', browser, address, token, everything, scheme, size)
        round_of('keys alone', browser, address, token, keys_alone)
        round_of('the flood', browser, address, token, flood)
        round_of('restarts', browser, address, token, restarts)
        browser.close()


def round_of(name, browser, address, token, play, scheme='light', size=WIDE) -> None:
    context = browser.new_context(viewport=size, color_scheme=scheme, accept_downloads=True)
    context.grant_permissions(['clipboard-read', 'clipboard-write'], origin=address.split('/#')[0])
    console = Console(context, address, token)
    try:
        play(console)
    except BaseException:
        # In the folder that this runs in.
        console.page.screenshot(path='failure.png')
        print(f'console.py: {name}: failed; messages: {console.messages}', file=sys.stderr)
        raise
    console.check_messages()
    context.close()
    print(f'console.py: {name}: ok', file=sys.stderr)


def order(text: str) -> None:
    """Has something done behind the page."""
    print(text, flush=True)
    assert sys.stdin.readline() == 'done\n'


class Console:
    def __init__(self, context: BrowserContext, address: str, token: str) -> None:
        self.url, self.token = address.split('/#')[0], token
        self.messages, self.allowed = [], None
        self.page: Page = context.new_page()
        self.page.set_default_timeout(PATIENCE)
        self.page.on('console', self._note)
        self.page.on('pageerror', lambda error: self.messages.append(f'{error}\n{error.stack}'))
        self.page.goto(address)
        self.is_narrow = self.page.viewport_size['width'] < 760
        expect(self('#connection')).to_have_text('live')

    def __call__(self, selector: str) -> Locator:
        return self.page.locator(selector)

    def _note(self, message) -> None:
        if message.type in ('error', 'warning') and not (self.allowed and re.search(self.allowed, message.text)):
            self.messages.append(f'{message.type}: {message.text} ({message.location})')

    @contextmanager
    def provoking(self, message: str):
        """Within, the browser may say this, for it is provoked on purpose."""
        self.allowed = message
        yield
        # What it has said before this answer is heard before it.
        self.page.evaluate('1')
        self.allowed = None

    def check_messages(self) -> None:
        self.page.evaluate('1')
        assert self.messages == [], '\n'.join(self.messages)

    def view(self, name: str) -> None:
        """On a phone there is one view at a time."""
        if self.is_narrow:
            self(f'#views [data-view={name}]').click()
        expect(self(f'#{name}')).to_be_visible()

    def tab(self, name: str) -> None:
        self.view('source')
        self(f'#tab-{name}').click()
        expect(self(f'#panel-{name}')).to_be_visible()

    def choose(self, name: str) -> None:
        self.view('sources')
        self(f'#source-list [data-source="{name}"] button').click()
        expect(self('#source-choice')).to_have_value(name)

    def reset_filter(self) -> None:
        self.view('timeline')
        self('#filter-reset').click()
        expect(self('#filter-text')).to_have_value('')

    def rows(self, condition: str = '') -> Locator:
        return self(f'#frames [role=option]{condition}:not([hidden])')

    def send(self, kind: str, text: str) -> None:
        self.tab('exchange')
        self(f'#exchange [value={kind}]').check()
        self('#exchange-text').fill(text)
        self('#exchange-text').press('Control+Enter')


def everything(console: Console) -> None:
    for part in [token_is_taken, source_is_shown, exchange, errors_of_queries, history, timeline, pairs, filters, pause,
                 notifications, configuration, sources, faults, acknowledgements, violations, refused_credentials,
                 export, page_fits, incidents]:
        part(console)


def token_is_taken(console: Console) -> None:
    assert console.page.evaluate('location.href') == f'{console.url}/'
    assert console.page.evaluate('JSON.parse(localStorage["vantiq-simulator.token"])') == console.token
    console.page.reload()
    expect(console('#connection')).to_have_text('live')
    expect(console('#token-dialog')).to_be_hidden()


def source_is_shown(console: Console) -> None:
    console.choose('thermostat')
    entry = console('#source-list [data-source=thermostat]')
    expect(console('#source-state')).to_have_text('connected')
    expect(console('#source-facts')).to_contain_text(re.compile(r'connected since \d\d:\d\d:\d\d'))
    console.view('sources')
    expect(entry.locator('.state')).to_have_text('connected')
    expect(entry.locator('.since')).to_have_text(re.compile(r'since \d\d:\d\d:\d\d'))


def exchange(console: Console) -> None:
    console.send('query', '{"op": "current"}')
    expect(console('#result-status')).to_have_text(re.compile(r'^200 · 1 row, the first after .* ms · all in .* ms$'))
    expect(console('#result-table th')).to_have_text(['#', 'value'])
    expect(console('#result-table td')).to_have_text(['1', '21.5'])
    console.send('query', '{"op": "history", "days": 2500}')
    expect(console('#result-status')).to_have_text(re.compile(r'^20[04] · 2,500 rows, the first after .* · all in '))
    expect(console('#result-table th')).to_have_text(['#', 'day', 'value'])
    expect(console('#result-table tbody tr')).to_have_count(1000)
    expect(console('#result-bound')).to_have_text('The first 1,000 of 2,500 rows are shown.')
    console.send('publish', '{"target": 19.5}')
    expect(console('#result-status')).to_have_text(re.compile(r'^200 · published to thermostat in .* ms$'))
    expect(console('#result-table')).to_be_hidden()


def errors_of_queries(console: Console) -> None:
    console.send('query', '{"op": "current",\n "days": [1 2]}')
    expect(console('#exchange-check')).to_have_text('Line 2, column 13: a comma or ] is expected.')
    expect(console('#exchange-text')).to_have_attribute('aria-invalid', 'true')
    expect(console('#exchange-text')).to_be_focused()
    expect(console('#result')).to_be_hidden()  # nothing was sent
    console.send('query', '{"op": "dance"}')
    expect(console('#result-status')).to_have_text(re.compile(r'^4\d\d · 0 rows'))
    expect(console('#result-errors .error code')).to_have_count(1)
    expect(console('#result-errors')).to_contain_text('unknown variant `dance`')


def history(console: Console) -> None:
    text = console('#exchange-text')
    text.fill('{"draft": true}')
    text.press('Control+Home')
    text.press('ArrowUp')
    expect(text).to_have_value('{"op": "dance"}')
    text.press('ArrowUp')
    expect(text).to_have_value('{"target": 19.5}')
    expect(console('#exchange [value=publish]')).to_be_checked()
    text.press('ArrowDown')
    text.press('ArrowDown')
    expect(text).to_have_value('{"draft": true}')
    console('#history-fold summary').click()
    console('#history button').filter(has_text='"days": 2500').click()
    expect(text).to_have_value('{"op": "history", "days": 2500}')
    expect(console('#exchange [value=query]')).to_be_checked()
    console('#history-fold summary').click()
    assert len(console.page.evaluate('JSON.parse(localStorage["vantiq-simulator.history"])')) == 4


def timeline(console: Console) -> None:
    console.view('timeline')
    row = console.rows('[data-sort=notification]').last
    expect(row).to_contain_text('"accepted":19.5')
    expect(row.locator('.direction')).to_have_text('←')
    expect(row.locator('.time')).to_have_text(re.compile(r'^\d\d:\d\d:\d\d\.\d\d\d$'))
    expect(row.locator('.took')).to_have_text(re.compile(r'^[\d.]+ m?s$'))
    assert int(row.locator('.bytes').inner_text()) > 50
    row.click()
    expect(console('#detail-title')).to_have_text(re.compile(r'^#\d+ notification from thermostat$'))
    expect(console('#detail-message')).to_contain_text('"object": {\n    "accepted": 19.5')
    console('#detail-copy').click()
    expect(console('#detail-copy')).to_have_text('Copied')
    copied = json.loads(console.page.evaluate('navigator.clipboard.readText()'))
    assert copied['object'] == {'accepted': 19.5, 'unit': 'celsius'}, copied
    # From the notification to what acknowledged it, and what that is for.
    expect(console('#detail-kin')).to_contain_text(re.compile(r'Acknowledged after [\d.]+ m?s by'))
    console('#detail-kin button').click()
    expect(console('#detail-title')).to_have_text(re.compile(r'^#\d+ ack 200 to thermostat$'))
    expect(console('#detail-kin')).to_contain_text(re.compile(r'For 1 of the notifications: +#\d+ [\d.]+ m?s late'))
    console('#detail-close').click()
    expect(console('#detail')).to_be_hidden()


def pairs(console: Console) -> None:
    """A query and all its answers."""
    console.view('timeline')
    console('#filter-text').fill('2500')
    console.rows('[data-sort=query]').last.click()
    console('#filter-text').fill('')
    expect(console('#detail-kin')).to_contain_text(re.compile(r'Answers, all in [\d.]+ m?s: +#\d+ 100 after '))
    expect(console.rows('[data-kin=true][data-sort=answer]').first).to_be_visible()
    console('#detail-kin button').last.click()
    expect(console('#detail-title')).to_have_text(re.compile(r'^#\d+ answer 20[04] from thermostat$'))
    expect(console('#detail-kin')).to_contain_text(re.compile(r'Answer after [\d.]+ m?s to'))
    expect(console.rows('[aria-selected=true]').locator('.took')).to_have_text(re.compile(r'^[\d.]+ m?s$'))
    expect(console.rows('[data-kin=true]').first).to_be_visible()
    console('#detail-close').click()
    expect(console('#detail')).to_be_hidden()
    # The list takes its room with the next pictures, and its rows move.
    console.page.evaluate('new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))')
    # Pointing at one is enough to see its kin.
    console.rows('[data-sort=acknowledgement]').last.hover()
    expect(console.rows('[data-kin=true][data-sort=notification]')).to_have_count(1)


def filters(console: Console) -> None:
    console.view('timeline')
    console('#filter-text').fill('no such text')
    expect(console('#frames-none')).to_have_text('No frame passes the filter.')
    console('#filter-text').fill('ACCEPTED 19.5')
    expect(console.rows().first).to_contain_text('"accepted":19.5')
    expect(console.rows(':not([data-sort=notification])')).to_have_count(0)
    expect(console('#timeline-count')).to_have_text(re.compile(r'^\d+ of [\d,]+$'))
    console.reset_filter()
    for choice, condition in [('query', '[data-sort=query]'), ('answer', '[data-sort=answer]'),
                              ('acknowledgement', '[data-sort=acknowledgement]'), ('error', '[data-error=true]'),
                              ('publish', '[data-sort=publish]')]:
        console('#filter-op').select_option(choice)
        expect(console.rows(condition).first).to_be_visible()
        expect(console.rows(f':not({condition})')).to_have_count(0)
    console('#filter-op').select_option('')
    for choice in ['received', 'sent']:
        console('#filter-direction').select_option(choice)
        expect(console.rows(f'[data-direction={choice}]').first).to_be_visible()
        expect(console.rows(f':not([data-direction={choice}])')).to_have_count(0)
    console('#filter-direction').select_option('')
    console('#filter-source').select_option('thermostat')
    expect(console.rows().first.locator('.source')).to_have_text('thermostat')
    # It is there again when the page is.
    console('#filter-text').fill('accepted')
    console.page.reload()
    expect(console('#filter-text')).to_have_value('accepted')
    expect(console('#filter-source')).to_have_value('thermostat')
    expect(console.rows().first).to_contain_text('accepted')
    console.reset_filter()
    expect(console.rows(':not([data-sort=notification])').first).to_be_visible()


def pause(console: Console) -> None:
    console.view('timeline')
    console('#pause').click()
    expect(console('#paused')).to_have_text('Paused; 0 new frames meanwhile.')
    before = console('#timeline-count').inner_text()
    for target in [1, 2]:
        order(f'publish {json.dumps({"target": target})}')
    # Each is a publish, a notification and its acknowledgement.
    expect(console('#paused')).to_have_text('Paused; 6 new frames meanwhile.')
    assert console('#timeline-count').inner_text() == before
    console('#pause').click()
    expect(console('#paused')).to_be_hidden()
    expect(console.rows('[data-sort=notification]').last).to_contain_text('"accepted":2.0')
    console('#clear').click()
    expect(console('#frames-none')).to_have_text('No frames yet.')
    order('publish {"target": 3}')
    expect(console.rows()).to_have_count(3)


def notifications(console: Console) -> None:
    console.tab('notifications')
    # The page has the state a little later than the frames.
    authorization = {'Authorization': f'Bearer {console.token}'}
    state = console.page.request.get(f'{console.url}/simulator/state', headers=authorization).json()
    before = next(source['notifications'] for source in state['sources'] if source['name'] == 'thermostat')
    expect(console('#notifications-count')).to_have_text(f'{before:,}')
    for target in range(10):
        order(f'publish {json.dumps({"target": 20.5 + target})}')
    expect(console('#notifications-count')).to_have_text(f'{before + 10:,}')
    expect(console('#notifications-last')).to_have_text('{\n  "accepted": 29.5,\n  "unit": "celsius"\n}')
    expect(console('#plot rect:not([height="0"])').first).to_be_attached()
    expect(console('#plot svg')).to_have_attribute('aria-label', re.compile('Notifications a second in the last minute'))
    expect(console('#notifications-peak')).not_to_have_text('0')


def configuration(console: Console) -> None:
    console.tab('configuration')
    text, check, state = console('#configuration-text'), console('#configuration-check'), console('#configuration-state')
    expect(text).to_have_value('{\n  "unit": "celsius"\n}')
    # What is not JSON, or no object, is not sent.
    for wrong, words in [('{"unit": "kelvin",\n}', 'Line 2, column 1: a name in double quotes is expected.'),
                         ('[]', 'It must be an object: { … }.')]:
        text.fill(wrong)
        expect(check).to_have_text(words)
        console('#configuration-apply').click()
        expect(state).to_have_text('')
    # What is typed stays, though the state of the source changes meanwhile.
    text.fill('{"unit": "kelvin"}')
    order('publish {"target": 4}')
    order('configure {"unit": "fahrenheit"}')
    expect(console('#configuration-changed')).to_be_visible()
    expect(text).to_have_value('{"unit": "kelvin"}')
    expect(console('#source-state')).to_have_text('connected')
    console('#configuration-apply').click()
    expect(state).to_have_text(re.compile(r'^Applied; connected again since .*, after .* m?s\.$'))
    expect(console('#configuration-changed')).to_be_hidden()
    expect(text).to_have_value('{\n  "unit": "kelvin"\n}')
    expect(console('#configuration-revert')).to_be_disabled()
    text.fill('{"unit": 5, "large": 12345678901234567890}')
    text.press('Control+Enter')
    expect(state).to_contain_text('Applied; connected again')
    console.send('query', '{"op": "current"}')
    expect(console('#result-errors')).to_contain_text('vantiq.connector.configuration')
    expect(console('#source-facts .error')).to_contain_text('Configuration error: ')
    console.view('sources')
    expect(console('#source-list [data-source=thermostat] .wrong')).to_contain_text('configuration: ')
    console.tab('configuration')
    expect(state).to_contain_text('The connector cannot use it: ')
    text.fill('{"unit":"celsius"}')
    console('#configuration-format').click()
    expect(text).to_have_value('{\n  "unit": "celsius"\n}')
    console('#configuration-apply').click()
    expect(state).to_contain_text('Applied; connected again')
    expect(console('#source-facts .error')).to_have_count(0)
    text.fill('{"unit": "x"}')
    console('#configuration-revert').click()
    expect(text).to_have_value('{\n  "unit": "celsius"\n}')


def sources(console: Console) -> None:
    name = f'spare {os.urandom(4).hex()}'
    console.view('sources')
    console('#source-new').click()
    console('#new-name').fill(name)
    console('#new-config').fill('{"a": }')
    expect(console('#new-check')).to_have_text('Line 1, column 7: a value is expected.')
    console('#new-config').fill('{"a": 1}')
    console('#new-dialog [type=submit]').click()
    expect(console('#new-dialog')).to_be_hidden()
    expect(console('#source-choice')).to_have_value(name)
    console.view('sources')
    expect(console(f'#source-list [data-source="{name}"] .state')).to_have_text('waiting')
    console.tab('configuration')
    expect(console('#configuration-text')).to_have_value('{\n  "a": 1\n}')
    console('#configuration-text').fill('{"a": 2}')
    console('#configuration-apply').click()
    expect(console('#configuration-state')).to_have_text('Applied; no connector is attached.')
    console('#source-active').click()
    expect(console('#source-state')).to_have_text('inactive')
    console('#source-active').click()
    expect(console('#source-state')).to_have_text('waiting')
    with console.provoking(REFUSED):
        console.send('query', '{}')
        expect(console('#result-status')).to_have_text('400 · refused')
        expect(console('#result-errors .error code')).to_be_visible()
        console.send('publish', '{}')
        expect(console('#result-status')).to_have_text('400 · refused')
    deletion(console, name)
    console.choose('thermostat')


def deletion(console: Console, name: str) -> None:
    press, dialog = console.page.keyboard.press, console('#delete-dialog')
    # Whoever slips with the keys has deleted nothing.
    for key in ['Escape', 'Enter']:
        console('#source-delete').focus()
        press('Enter')
        expect(console('#delete-title')).to_have_text(f'Delete {name}?')
        expect(console('#delete-attached')).to_be_hidden()  # nobody is
        expect(console('#delete-cancel')).to_be_focused()
        looks_right(console)
        press(key)
        expect(dialog).to_be_hidden()
        expect(console('#source-delete')).to_be_focused()
    press('Enter')
    press('Shift+Tab')
    press('Enter')
    expect(dialog).to_be_hidden()
    expect(console('#source-none')).to_have_text('Choose a source.')
    expect(console('#source-delete')).to_be_hidden()
    expect(console('#source-choice')).to_be_focused()
    console.view('sources')
    expect(console(f'#source-list [data-source="{name}"]')).to_have_count(0)
    # A connector whose source is deleted is refused until there is one again.
    console.choose('thermostat')
    console('#source-delete').click()
    expect(console('#delete-attached')).to_be_visible()
    console('#delete-form [type=submit]').click()
    expect(dialog).to_be_hidden()
    console.view('sources')
    expect(console('#source-list [data-source=thermostat]')).to_have_count(0)
    order('configure {"unit": "celsius"}')
    console.choose('thermostat')
    expect(console('#source-state')).to_have_text('connected')


def faults(console: Console) -> None:
    console.tab('faults')
    now = console('#faults-now')
    expect(now).to_have_text('Nothing is out of order.')
    for pace, shown in [('deaf', 'deaf'), ('slow', 'slow, a message every 200 ms'), ('silent', 'silent')]:
        button = console(f'[data-fault={pace}]')
        button.click()
        expect(button).to_have_attribute('aria-pressed', 'true')
        expect(now).to_have_text(shown)
        console('#heal').click()
        expect(button).to_have_attribute('aria-pressed', 'false')
        expect(now).to_have_text('Nothing is out of order.')
        expect(console('#source-state')).to_have_text('connected')
    for how in ['close', 'abort', 'midframe']:
        console('#cut-how').select_option(how)
        a_session_later(console, lambda: console('[data-fault=cut]').click())
    a_session_later(console, lambda: console('[data-fault=reconnect]').click())
    console('#refuse-as').select_option('no-stream')
    console('#refuse-times').fill('1')
    console('[data-fault=refuse]').click()
    expect(now).to_have_text('refuses with no-stream, once more')
    expect(console('[data-fault=refuse]')).to_have_attribute('aria-pressed', 'true')
    a_session_later(console, lambda: console('[data-fault=cut]').click())
    expect(now).to_have_text('Nothing is out of order.')
    expect(console('#source-facts .refusal')).to_have_count(0)  # that is over
    console.view('sources')
    expect(console('#source-list [data-source=thermostat] .wrong')).to_contain_text('associated stream')
    console.view('source')
    console('#refuse-times').fill('')
    console('[data-fault=refuse]').click()
    expect(now).to_have_text('refuses with no-stream')
    console('#heal').click()
    expect(now).to_have_text('Nothing is out of order.')


def incidents(console: Console) -> None:
    """The cuts and faults of before, where they happened."""
    console.view('timeline')
    console('#filter-op').select_option('event')
    expect(console.rows(':not([data-sort=event])')).to_have_count(0)
    console('#filter-text').fill('cut')
    for how in ['close', 'abort', 'midframe']:
        row = console.rows().filter(has_text=f'cut: {how}').last
        expect(row.locator('.op')).to_have_text('link ended')
    row.click()
    expect(console('#detail-title')).to_have_text(re.compile(r'^link ended · thermostat · after #\d+$'))
    expect(console('#detail-message')).to_contain_text('"how": "midframe"')
    looks_right(console)
    console('#detail-close').click()
    for words, summary in [('fault: slow', 'ms: 200'), ('healed: pace', ''), ('fault: refuse', 'as: no-stream, times: 1')]:
        console('#filter-text').fill(words)
        expect(console.rows().last.locator('.op')).to_have_text(words)
        expect(console.rows().filter(has_text=summary).first).to_be_visible()
    console.reset_filter()


def a_session_later(console: Console, act) -> None:
    facts = console('#source-facts .facts')
    before = int(re.search(r'([\d,]+) session', facts.inner_text())[1].replace(',', ''))
    act()
    expect(facts).to_contain_text(f'{before + 1:,} sessions')
    expect(console('#source-state')).to_have_text('connected')
    expect(console('#faults-errors .error')).to_have_count(0)


def acknowledgements(console: Console) -> None:
    console.tab('faults')
    for what, shown in [('everything', 'everything'), ('nothing', 'nothing'), ('delayed', 'delayed by 20 ms'),
                        ('error', 'error, 1 of 10'), ('merged', 'merged, 10 together'), ('omit', 'omit, 1 of 10'),
                        ('notifications', None)]:
        console('#acknowledge-what').select_option(what)
        expect(console('#acknowledge-ms')).to_be_visible(visible=what == 'delayed')
        expect(console('#acknowledge-every')).to_be_visible(visible=what in ('error', 'merged', 'omit'))
        console('[data-fault=acknowledge]').click()
        expect(console('#faults-now')).to_have_text(f'acknowledges: {shown}' if shown else 'Nothing is out of order.')
    # Late ones are told to be late.
    console('#acknowledge-what').select_option('delayed')
    console('#acknowledge-ms').fill('150')
    console('[data-fault=acknowledge]').click()
    expect(console('#faults-now')).to_have_text('acknowledges: delayed by 150 ms')
    order('publish {"target": 17}')
    console.view('timeline')
    console('#filter-text').fill('accepted 17.0')
    expect(console.rows().last.locator('.took')).to_have_text(re.compile(r'^(1[5-9]\d|[2-9]\d\d) ms$|s$'))
    console.reset_filter()
    console.tab('faults')
    console('#heal').click()
    expect(console('#faults-now')).to_have_text('Nothing is out of order.')


def violations(console: Console) -> None:
    order('violate')
    console('#violations').click()
    expect(console('#violations-list li').last).to_contain_text('dance')
    console('#violations-close').click()
    expect(console('#violations-dialog')).to_be_hidden()


def refused_credentials(console: Console) -> None:
    order('intrude')
    expect(console('#credentials')).to_have_text(re.compile(r'^credentials refused \d\d:\d\d:\d\d$'))


def export(console: Console) -> None:
    with console.page.expect_download() as downloading:
        console('#export').click()
    download = downloading.value
    assert re.fullmatch(r'recording-\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.jsonl', download.suggested_filename)
    with open(download.path(), encoding='utf-8') as file:
        text = file.read()
    frames = [json.loads(line) for line in text.splitlines()]
    assert len(frames) > 50 and console.token not in text
    assert {'validate', 'connectExtension', 'query', 'notification'} <= {frame.get('op') for frame in frames}
    assert {'linkOpened', 'linkEnded', 'fault', 'healed'} <= {line.get('event') for line in frames}
    expect(console('#export-state')).to_contain_text('recording-')


def page_fits(console: Console) -> None:
    """Everything is readable, and nothing is wider than the window."""
    for view in ['sources', 'timeline', 'source']:
        console.view(view)
        looks_right(console)
    console.view('timeline')
    order('publish {"target": 18}')  # few rows of a phone are in sight
    console.rows('[data-sort=notification]').last.click()
    looks_right(console)
    console('#detail-close').click()
    for tab in ['exchange', 'configuration', 'notifications', 'faults']:
        console.tab(tab)
        looks_right(console)
    console('#keys').click()
    looks_right(console)
    console.page.keyboard.press('Escape')


def looks_right(console: Console) -> None:
    widths = console.page.evaluate('[document.documentElement.scrollWidth, document.documentElement.clientWidth]')
    assert widths[0] <= widths[1], widths
    faint = console.page.evaluate(FAINT_TEXT, CONTRAST)
    assert faint == [], faint


# Texts whose contrast with what is behind them is too low; disabled controls are exempt.
FAINT_TEXT = '''(least) => {
  const colour = (text) => text.match(/[\\d.]+/g).map(Number);
  const luminance = (rgb) => rgb.slice(0, 3).map((part) => part / 255)
    .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4))
    .reduce((sum, part, index) => sum + part * [0.2126, 0.7152, 0.0722][index], 0);
  const behind = (node) => {
    const [r, g, b, a] = colour(getComputedStyle(node).backgroundColor);
    return a === 0 && node.parentElement ? behind(node.parentElement) : [r, g, b];
  };
  const faint = [];
  for (const node of document.querySelectorAll('body *')) {
    const hasText = [...node.childNodes].some((child) => child.nodeType === 3 && child.data.trim() !== '');
    if (!hasText || !node.checkVisibility() || node.disabled || node.closest('svg') || node.matches('script, noscript, option')) continue;
    const [one, other] = [luminance(colour(getComputedStyle(node).color)), luminance(behind(node))];
    const contrast = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
    if (contrast < least) faint.push(`${node.tagName}#${node.id}.${node.className} ${node.textContent.slice(0, 30)}: ${contrast.toFixed(2)}`);
  }
  return faint;
}'''


def keys_alone(console: Console) -> None:
    press, page = console.page.keyboard.press, console.page
    expect(console.rows().first).to_be_visible()
    press('/')
    expect(console('#filter-text')).to_be_focused()
    page.keyboard.type('accepted / ?')
    expect(console('#filter-text')).to_have_value('accepted / ?')
    press('Escape')
    expect(console('#filter-text')).to_have_value('')
    # Moving, opening and closing.
    tab_to(page, 'frames')
    press('End')
    youngest = console('#frames [aria-selected=true]').get_attribute('data-number')
    press('ArrowUp')
    expect(console('#frames [aria-selected=true]')).not_to_have_attribute('data-number', youngest)
    active = console('#frames').get_attribute('aria-activedescendant')
    expect(console(f'#{active}')).to_have_attribute('aria-selected', 'true')
    press('ArrowDown')
    expect(console('#frames [aria-selected=true]')).to_have_attribute('data-number', youngest)
    press('Enter')
    expect(console('#detail')).to_be_visible()
    press('Home')
    expect(console('#detail-title')).to_contain_text('#')
    press('PageDown')
    press('Escape')
    expect(console('#detail')).to_be_hidden()
    expect(console('#frames')).to_be_focused()
    press('Space')
    expect(console('#pause')).to_have_attribute('aria-pressed', 'true')
    press('Space')
    expect(console('#pause')).to_have_attribute('aria-pressed', 'false')
    press('?')
    expect(console('#keys-dialog')).to_be_visible()
    press('Escape')
    expect(console('#keys-dialog')).to_be_hidden()
    # Another source and back, a query, its rows, and the other tabs.
    for name in ['odd', 'thermostat']:
        tab_to(page, f'source of {name}', f'document.activeElement.closest("[data-source={name}]") !== null')
        press('Enter')
        expect(console('#source-choice')).to_have_value(name)
    tab_to(page, 'exchange-text')
    press('Control+A')
    page.keyboard.type('{"op": "history", "days": 3}')
    press('Control+Enter')
    expect(console('#result-table tbody tr')).to_have_count(3)
    tab_to(page, 'tab-exchange')
    for name in ['configuration', 'notifications', 'faults', 'exchange', 'configuration']:
        press('ArrowRight')
        expect(console(f'#tab-{name}')).to_be_focused()
        expect(console(f'#panel-{name}')).to_be_visible()
    tab_to(page, 'configuration-text')
    press('Control+A')
    page.keyboard.type('{"unit": "kelvin"}')
    press('Control+Enter')
    expect(console('#configuration-state')).to_contain_text('Applied; connected again')
    press('Control+A')
    page.keyboard.type('{"unit": "celsius"}')
    press('Control+Enter')
    expect(console('#configuration-text')).to_have_value('{\n  "unit": "celsius"\n}')
    for name in ['exchange', 'configuration', 'notifications', 'faults']:
        tab_to(page, 'tab-configuration' if name == 'exchange' else 'tab-' + previous(name))
        press('ArrowLeft' if name == 'exchange' else 'ArrowRight')
        expect(console(f'#panel-{name}')).to_be_visible()
        all_is_reached(page)


def previous(name: str) -> str:
    names = ['exchange', 'configuration', 'notifications', 'faults']
    return names[names.index(name) - 1]


def tab_to(page: Page, name: str, is_there: str | None = None) -> None:
    for _ in range(150):
        if page.evaluate(is_there or f'document.activeElement.id === "{name}"'):
            return
        page.keyboard.press('Tab')
    raise AssertionError(f'Tab does not reach {name}')


def all_is_reached(page: Page) -> None:
    """Tab comes to every control that can be seen, and it is seen where it is."""
    page.evaluate(MARK_CONTROLS)
    for _ in range(150):
        page.keyboard.press('Tab')
        outline = page.evaluate(VISIT)
        assert outline is None or outline >= 1.5, page.evaluate('document.activeElement.outerHTML.slice(0, 200)')
    missed = page.evaluate('[...document.querySelectorAll("[data-unreached]")].map((node) => node.outerHTML.slice(0, 120))')
    assert missed == [], missed


# One of a group of radio buttons is enough, and one of the tabs.
MARK_CONTROLS = '''() => {
  for (const node of document.querySelectorAll('button, select, input, textarea, summary, a[href], [tabindex="0"]')) {
    const counts = node.checkVisibility() && !node.disabled && node.tabIndex >= 0;
    if (counts && !(node.type === 'radio' && !node.checked)) node.dataset.unreached = '';
  }
}'''
VISIT = '''() => {
  const node = document.activeElement;
  delete node.dataset.unreached;
  return node === document.body ? null : Number.parseFloat(getComputedStyle(node).outlineWidth);
}'''


def flood(console: Console) -> None:
    """5,000 frames a second, while somebody works with the page."""
    order('flood')
    expect(console('#sampled')).to_have_text(re.compile(r'Sampled: [\d,]+ frames left out; showing [\d,]+ of [\d,]+ frames/s\.'))
    expect(console('#sampled')).to_have_text(re.compile(r' of (4,[5-9]|[5-9],|\d\d,)\d+ frames/s'))
    console.page.evaluate(WATCH_CLICKS)
    for _ in range(5):
        for label, pressed in [('Resume', 'true'), ('Pause', 'false')]:
            console('#pause').click()
            expect(console('#pause')).to_have_text(label)
            expect(console('#pause')).to_have_attribute('aria-pressed', pressed)
    console('#pause').click()
    expect(console('#paused')).to_have_text(re.compile(r'^Paused; \d{1,3},\d{3} new frames meanwhile\.$'))
    console('#pause').click()
    console.page.wait_for_function('window.reactions.length === 12')
    reactions = console.page.evaluate('window.reactions')
    assert max(reactions) < PROMPT, reactions
    # The page holds few rows, whatever came; and what a connector sends is text.
    assert console('#frames [role=option]').count() < 100
    assert console('#frames b, #frames script').count() == 0
    # What is wanted is found among it all: an operation is filtered by the simulator then.
    console.choose('thermostat')
    console('#filter-op').select_option('query')
    for days in [601, 602, 603]:
        console.send('query', f'{{"op": "history", "days": {days}}}')
        expect(console('#result-status')).to_have_text(re.compile(f'^20[04] · {days} rows'))
        row = console.rows('[data-sort=query]').filter(has_text=f'"days":{days}').last
        expect(row).to_be_visible()
    expect(console('#sampled')).to_contain_text('the simulator picks those of the filter')
    row.click()
    expect(console('#detail-kin')).to_contain_text(re.compile(r'Answers, all in [\d.]+ m?s: '))
    console('#detail-close').click()
    console('#filter-reset').click()
    expect(console('#sampled')).to_contain_text('Sampled: ')
    # The acknowledgement of a notification is found, though it is not among those that come.
    console('#filter-op').select_option('notification')
    expect(console('#sampled')).to_contain_text('the simulator picks those of the filter')
    console('#pause').click()
    console.rows().last.click()
    expect(console('#detail-kin')).to_contain_text('Acknowledged after')
    console('#pause').click()
    console('#detail-close').click()
    console('#filter-reset').click()
    console.choose('flood')
    console.tab('notifications')
    expect(console('#notifications-peak')).to_have_text(re.compile(r'^(1,[5-9]|[2-9],)\d+$'))
    expect(console('#notifications-last')).to_contain_text('"<b>bold</b>": "<script>"')
    order('calm')
    expect(console('#sampled')).to_contain_text('left out while there were too many to show all.')


# From a click to the picture after it.
WATCH_CLICKS = '''() => {
  window.reactions = [];
  document.getElementById('pause').addEventListener('click', (event) => {
    requestAnimationFrame(() => requestAnimationFrame(() => window.reactions.push(performance.now() - event.timeStamp)));
  });
}'''


def restarts(console: Console) -> None:
    # Away and back: the simulator goes on where it was, and so does the page.
    console.choose('thermostat')
    order('publish {"target": 11}')
    expect(console.rows('[data-sort=notification]').last).to_contain_text('"accepted":11.0')
    with console.provoking(AWAY):
        order('stop')
        expect(console('#connection')).to_have_text('The simulator is away, trying again…')
        console('#filter-text').fill('accepted')
        console('#exchange-text').fill('{"op": "typed"}')
        expect(console.rows().last).to_contain_text('"accepted":11.0')
        console.send('query', '{"op": "current"}')
        expect(console('#result-errors')).to_have_text('The simulator is away.')
        console('#exchange-text').fill('{"op": "typed"}')
        order('restart')
        expect(console('#connection')).to_have_text('live')
        expect(console('#source-state')).to_have_text('connected')
    order('publish {"target": 12}')
    expect(console.rows().last).to_contain_text('"accepted":12.0')
    expect(console.rows().nth(-2)).to_contain_text('"accepted":11.0')
    expect(console('#filter-text')).to_have_value('accepted')
    expect(console('#anew')).to_be_hidden()
    # Another one at the same place: the timeline begins anew, without the open frame. Who types goes on typing.
    console.rows().last.click()
    expect(console('#detail')).to_be_visible()
    console('#exchange-text').focus()
    with console.provoking(AWAY):
        order(f'anew {console.token}')
        expect(console('#anew')).to_have_text(re.compile(r'^The simulator was started anew at \d\d:\d\d:\d\d'))
        expect(console('#connection')).to_have_text('live')
        expect(console('#source-state')).to_have_text('connected')
    expect(console('#detail')).to_be_hidden()
    expect(console('#exchange-text')).to_be_focused()
    order('publish {"target": 13}')
    expect(console.rows().last).to_contain_text('"accepted":13.0')
    # The connector may have sent 12 again, of which it did not know that it had arrived; it has no reason to with 11.
    expect(console.rows().filter(has_text='"accepted":11.0')).to_have_count(0)
    expect(console('#exchange-text')).to_have_value('{"op": "typed"}')
    # And one with another token, which a person has to paste.
    with console.provoking(f'{AWAY}|{UNAUTHORIZED}'):
        order('anew another-token')
        expect(console('#token-dialog')).to_be_visible()
        expect(console('#token-why')).to_contain_text('refuses the token')
        looks_right(console)
        for _ in range(3):
            console.page.keyboard.press('Escape')
        expect(console('#token-dialog')).to_be_visible()
        console('#token-text').fill('a wrong one')
        console('#token-text').press('Enter')
        expect(console('#token-text')).to_have_value('')
        expect(console('#token-dialog')).to_be_visible()
        console('#token-text').fill('another-token')
        console('#token-dialog [type=submit]').click()
        expect(console('#token-dialog')).to_be_hidden()
        expect(console('#connection')).to_have_text('live')
    expect(console('#exchange-text')).to_have_value('{"op": "typed"}')
    expect(console('#filter-text')).to_have_value('accepted')
    expect(console('#history button')).not_to_have_count(0)
    # Without a token nothing is asked of the simulator before there is one.
    console.page.evaluate('localStorage.removeItem("vantiq-simulator.token")')
    console.page.reload()
    expect(console('#token-dialog')).to_be_visible()
    console('#token-text').fill('another-token')
    console('#token-text').press('Enter')
    expect(console('#connection')).to_have_text('live')


main(*sys.argv[1:])

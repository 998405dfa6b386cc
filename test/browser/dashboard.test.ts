import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeReport } from '../../dashboard/open-dashboard.ts';
import { serveDashboard, type Dashboard } from '../../dashboard/server/serve.ts';
import { connect, type Connection } from '../../db/connection.ts';
import { migrateDatabase } from '../../db/migrate.ts';
import { WORKER_PRESENCE } from '../../db/presence.ts';
import { ensureDatabaseOnly, stopServices } from '../../services/services.ts';
import { env, scratchFolders, type ScratchFolders } from '../unit/support/scratch-services.ts';
import { BROWSER, complaints, launch } from './support/browser.ts';
import { EARLIER_CALL, nextStep, OFFERED_TOOL, PLANTED, shownRun } from './support/shown-run.ts';

const LAPTOP = { width: 1280, height: 800 };
const PHONE = { width: 390, height: 844 };
const STEPS = 6;
const RUNS = ['first', 'second', 'third'] as const;

/** Each page, and what is on it once it has its data; VISITED stands for a sample. */
const PAGES = [
  ['#/', 'table.runs tbody tr'],
  ['#/runs/first', '.plot'],
  ['#/runs/first/samples', 'table.samples tbody tr'],
  ['#/runs/first/samples/VISITED', 'table.visits tbody tr'],
  ['#/runs/first/rollouts', '.completion'],
  ['#/compare/first/second/third', '.plot'],
] as const;

describe.skipIf(BROWSER === null)('in a browser', () => {
  let folders: ScratchFolders;
  let home: string;
  let connection: Connection;
  let dashboard: Dashboard;
  let browser: Browser;
  let visited: string;

  beforeAll(async () => {
    folders = await scratchFolders();
    home = folders.home('shown');
    const { databaseUrl } = await ensureDatabaseOnly({ home, env });
    await migrateDatabase(databaseUrl);
    connection = connect(databaseUrl);
    for (const [index, run] of RUNS.entries())
      await shownRun(connection, run, { seed: index + 1, steps: STEPS });
    const { rows } = await connection.pool.query<{ sample_id: string }>(
      `select sample_id from sample_statistics where run = 'first' order by visits desc limit 1`,
    );
    visited = rows[0]?.sample_id ?? '';
    dashboard = await serveDashboard({ databaseUrl, folderId: 'browser test' });
    browser = await launch();
  }, 300_000);
  afterAll(async () => {
    await browser?.close();
    await dashboard?.close();
    await connection?.close();
    await folders?.close();
  });

  async function open(
    address: string,
    options: Parameters<Browser['newPage']>[0] = {},
  ): Promise<{ page: Page; found: string[] }> {
    const page = await browser.newPage({ viewport: LAPTOP, ...options });
    const found = complaints(page);
    await page.goto(address);
    return { page, found };
  }

  it.each(PAGES)('%s loads without complaint, on a laptop and on a phone', async (hash, sign) => {
    for (const [viewport, colorScheme] of [
      [LAPTOP, 'light'],
      [PHONE, 'dark'],
    ] as const) {
      const address = `${dashboard.address}${hash.replace('VISITED', visited)}`;
      const { page, found } = await open(address, { viewport, colorScheme });
      await page.locator(sign).first().waitFor();
      expect(found).toEqual([]);
      // Nothing sticks out: a phone must not have to scroll sideways.
      const wide = await page.evaluate<number>('document.documentElement.scrollWidth');
      expect([hash, wide]).toEqual([hash, viewport.width]);
      await page.close();
    }
  });

  it('shows a step as soon as it is committed, and a new run', async () => {
    const { page, found } = await open(`${dashboard.address}#/runs/second`);
    await page.getByText(`step ${STEPS} of`).waitFor();
    await nextStep(connection, 'second', STEPS + 1);
    await page.getByText(`step ${STEPS + 1} of`).waitFor();
    await page.goto(`${dashboard.address}#/`);
    await page.getByRole('link', { name: 'second' }).waitFor();
    await shownRun(connection, 'fourth', { seed: 4, steps: 1 });
    await page.getByRole('link', { name: 'fourth' }).waitFor();
    expect(found).toEqual([]);
    await page.close();
  });

  it('tells a run that no worker is there for, and when one is', async () => {
    const { page } = await open(`${dashboard.address}#/runs/third`);
    await page.getByText('running, no worker').waitFor();
    expect(await page.getByText(/ left$/).count()).toBe(0);
    const { databaseUrl } = await ensureDatabaseOnly({ home, env });
    const worker = connect(databaseUrl, { presence: WORKER_PRESENCE });
    await page.getByText('running, no worker').waitFor({ state: 'detached' });
    await page.getByText(/ left$/).waitFor();
    await worker.close();
    await page.getByText('running, no worker').waitFor();
    await page.close();
  });

  it('never takes what a model wrote for markup', async () => {
    for (const hash of ['#/runs/first', '#/runs/first/rollouts']) {
      const { page, found } = await open(`${dashboard.address}${hash}`);
      await page.getByText(PLANTED, { exact: false }).first().waitFor({ state: 'attached' });
      await untouched(page);
      expect(found).toEqual([]);
      await page.close();
    }
  });

  it.each(['#/runs/first/rollouts', '#/runs/first/samples/VISITED'])(
    '%s shows a prompt with its tools and the calls of earlier turns, as texts',
    async (hash) => {
      const address = `${dashboard.address}${hash.replace('VISITED', visited)}`;
      const { page, found } = await open(address, { viewport: PHONE });
      await page.getByText(/^The whole prompt \(1 tool, 5 messages\)$/).click();
      const prompt = page.locator('.task details');
      await prompt.getByText(`tool on offer: ${OFFERED_TOOL} ${PLANTED}`).waitFor();
      await prompt
        .getByText(`{"type": "object", "properties": {${JSON.stringify(PLANTED)}`)
        .waitFor();
      await prompt.getByText(`<tool_call> {"name": "${EARLIER_CALL}", "parameters": {`).waitFor();
      await untouched(page);
      expect(await page.evaluate<number>('document.documentElement.scrollWidth')).toBe(PHONE.width);
      expect(found).toEqual([]);
      await page.close();
    },
  );

  it('says when Postgres is away, keeps what it had, and recovers', async () => {
    const { page } = await open(`${dashboard.address}#/runs/first`);
    await page.locator('.plot').first().waitFor();
    await stopServices(home);
    await page.getByText('Postgres does not answer').waitFor({ timeout: 20_000 });
    expect(await page.locator('.plot').count()).toBeGreaterThan(5);
    await page.goto(`${dashboard.address}#/runs/second/samples`);
    await page.getByText('`toolsample up` starts it').waitFor();
    await ensureDatabaseOnly({ home, env });
    await page.locator('table.samples tbody tr').first().waitFor({ timeout: 30_000 });
    await page.getByText('Postgres does not answer').first().waitFor({ state: 'detached' });
    await page.close();
  });

  it('says when its own server is gone, and goes on when it is back', async () => {
    const { databaseUrl } = await ensureDatabaseOnly({ home, env });
    const options = { databaseUrl, folderId: 'another dashboard' };
    const first = await serveDashboard(options);
    const { page } = await open(`${first.address}#/runs/first`);
    await page.getByText(`step ${STEPS} of`).waitFor();
    await first.close();
    await page.getByText('server does not answer').waitFor();
    await nextStep(connection, 'first', STEPS + 1);
    const again = await serveDashboard({ ...options, port: Number(new URL(first.address).port) });
    await page.getByText(`step ${STEPS + 1} of`).waitFor({ timeout: 20_000 });
    await page.getByText('server does not answer').waitFor({ state: 'detached' });
    await page.close();
    await again.close();
  });

  it('can be read without a mouse', async () => {
    const { page } = await open(`${dashboard.address}#/runs/first`);
    await page.locator('.plot').first().waitFor();
    const chart = page.getByRole('slider', { name: /^Mastery/ });
    // Focus comes by the Tab key alone.
    for (let press = 0; press < 60; press++) {
      if (await chart.evaluate((element) => element.matches(':focus'))) break;
      await page.keyboard.press('Tab');
    }
    await page.keyboard.press('Home');
    await page.keyboard.press('ArrowRight');
    expect(await chart.getAttribute('aria-valuenow')).toBe('2');
    expect(await chart.getAttribute('aria-valuetext')).toMatch(/^step 2: format \d\.\d\d, name/);
    // All pictures of the page follow.
    expect(await page.getByText('step 2', { exact: true }).count()).toBeGreaterThan(5);
    await page.close();
  });

  it('gives the data of a picture as CSV', async () => {
    const { page } = await open(`${dashboard.address}#/runs/first`);
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page
        .getByRole('button', { name: 'Save the data of “Mastery of the sub-tasks” as CSV' })
        .click(),
    ]);
    expect(download.suggestedFilename()).toBe('first-mastery.csv');
    const lines = (await readFile(await download.path(), 'utf8')).split('\r\n');
    expect(lines[0]).toBe('series,step,value,low,high');
    expect(lines.filter((line) => line.startsWith('value,'))).toHaveLength(STEPS + 1);
    await page.goto(`${dashboard.address}#/runs/first/rollouts`);
    const [calls] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('button', { name: /^Save the data of “Calls of / }).click(),
    ]);
    expect(await readFile(await calls.path(), 'utf8')).toMatch(
      /^index,readable,call,wanted_call,given_call,call_right,key,wanted,given,right\r\n/,
    );
    await page.close();
  });

  it('has it all in one file that opens without a server', async () => {
    const { html } = await makeReport({ home, log: () => undefined }, () => RUNS);
    const file = join(folders.root, 'report.html');
    await writeFile(file, html);
    const context = await browser.newContext({ viewport: PHONE, offline: true });
    const page = await context.newPage();
    const found = complaints(page);
    const asked: string[] = [];
    page.on('request', (request) => asked.push(request.url()));
    for (const [hash, sign] of PAGES) {
      await page.goto(`${pathToFileURL(file).href}${hash.replace('VISITED', visited)}`);
      await page.locator(sign).first().waitFor();
      await untouched(page);
    }
    await page.locator('table.samples a').first().isVisible();
    expect(found).toEqual([]);
    expect(asked.filter((each) => !each.startsWith('file:') && !each.startsWith('data:'))).toEqual(
      [],
    );
    await context.close();
  });
});

/** No element came of a text, and no script of one ran. */
async function untouched(page: Page): Promise<void> {
  expect(await page.locator('img').count()).toBe(0);
  expect(await page.evaluate<boolean>(`'owned' in window`)).toBe(false);
}

import { accessSync, constants } from 'node:fs';
import { chromium, type Browser, type Page } from 'playwright-core';

/** Where distributions put Chromium, and `TOOLSAMPLE_BROWSER` before all of them. */
const PLACES = [
  process.env['TOOLSAMPLE_BROWSER'],
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/snap/bin/chromium',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
];

/** A Chromium of this machine; null where there is none, and the tests that want one are skipped. */
export const BROWSER = PLACES.find((place) => place !== undefined && isProgram(place)) ?? null;

/** Starts the browser; to be closed by the caller. */
export async function launch(): Promise<Browser> {
  if (BROWSER === null) throw new Error('there is no Chromium on this machine');
  return chromium.launch({
    executablePath: BROWSER,
    // As root Chromium refuses its own sandbox; what is shown here is our own.
    args: process.getuid?.() === 0 ? ['--no-sandbox'] : [],
  });
}

/** Everything a page complains about: errors of scripts, of its policy, of its requests. */
export function complaints(page: Page): string[] {
  const found: string[] = [];
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') found.push(message.text());
  });
  page.on('pageerror', (error) => found.push(error.message));
  page.on('requestfailed', (request) => {
    // A stream of events ends with its page.
    if (!request.url().endsWith('/api/live')) found.push(`${request.url()} failed`);
  });
  return found;
}

function isProgram(place: string): boolean {
  try {
    accessSync(place, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

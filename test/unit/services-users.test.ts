import { execFile } from 'node:child_process';
import { chmod, mkdir, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { findDataFolder, readServiceState } from '../../services/data-folder.ts';
import { ensureDatabaseOnly, stopServices } from '../../services/services.ts';
import { cliCaches, findCli } from '../../services/temporal/cli.ts';
import { fetchCli } from '../../services/temporal/fetch-cli.ts';
import {
  addName,
  CHECKOUT,
  env,
  names,
  scratchFolders,
  serverPids,
  upInProcess,
  type ScratchFolders,
} from './support/scratch-services.ts';

const run = promisify(execFile);
const isRoot = process.getuid?.() === 0;

let folders: ScratchFolders;
beforeAll(async () => {
  folders = await scratchFolders();
});
afterAll(async () => {
  await folders.close();
});

describe.runIf(isRoot)('as root', { timeout: 120_000 }, () => {
  it('puts the cluster where its user can enter when the data folder lies under a closed home', async () => {
    const closed = join(folders.root, 'closed');
    await mkdir(closed, { mode: 0o700 });
    const messages: string[] = [];
    const home = folders.home('closed/clone/.toolsample');
    const { databaseUrl } = await ensureDatabaseOnly({
      home,
      env,
      log: (message) => messages.push(message),
    });
    await addName(databaseUrl, 'elsewhere');
    const elsewhere = readServiceState(home)?.postgres?.root ?? '';
    expect(elsewhere).toContain((await findDataFolder(home))?.id);
    expect(messages.join('\n')).toContain(elsewhere);
    await stopServices(home);
    const again = await ensureDatabaseOnly({ home, env });
    expect(again.postgres.how).toBe('started');
    expect(await names(again.databaseUrl)).toEqual(['elsewhere']);
  });

  it('leaves room for ordinary users, who run everything as themselves', async (context) => {
    const cli =
      (await findCli(null, env)) ?? (await fetchCli(cliCaches(null, env), () => undefined));
    const home = folders.home('nobody/.toolsample');
    const [code, bin] = [join(folders.root, 'checkout'), join(folders.root, 'bin')];
    await Promise.all([dirname(home), code, bin].map(async (folder) => mkdir(folder)));
    await chmod(dirname(home), 0o777);
    // The checkout may lie under a folder that others cannot enter: it is shown to that user elsewhere, in a view of
    // the file system of its own.
    const asNobody = [
      'unshare',
      '--mount',
      'sh',
      '-c',
      'mount --bind "$1" "$2" && mount --bind "$3" "$4" && shift 4 && exec "$@"',
      'sh',
      CHECKOUT,
      code,
      dirname(cli.path),
      bin,
      'setpriv',
      '--reuid=65534',
      '--regid=65534',
      '--clear-groups',
    ];
    const [program = '', ...args] = asNobody;
    const allowed = await run(program, [...args, 'true']).catch(() => null);
    if (allowed === null) context.skip('may not mount and switch users here');
    const environment = {
      PATH: `${bin}:${env['PATH'] ?? ''}`,
      HOME: dirname(home),
      TMPDIR: tmpdir(),
    };
    const answer = await upInProcess(home, {
      prefix: asNobody,
      checkout: code,
      environment,
    });
    expect(answer).toMatchObject({ uid: 65_534, postgres: 'started', temporal: 'started' });
    const { postgres, temporal } = await serverPids(home);
    for (const pid of [postgres, temporal]) {
      expect(await readFile(`/proc/${pid}/status`, 'utf8')).toMatch(/^Uid:\t65534\t65534/m);
    }
    expect(readServiceState(home)?.postgres).toMatchObject({ root: null, account: null });
    expect(await names(answer.url)).toEqual([]);
  });
});

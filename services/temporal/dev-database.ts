import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';

import type { DataFolder } from '../data-folder.ts';
import { fileError, replaceFile, syncFolder } from '../durable-file.ts';

/*
 * The dev server makes its tables one by one when it starts on a file that is not there, and takes a file that is there for whole: killed
 * in between, it would miss tables for ever. So the file counts as unfinished until a server that made it has answered.
 */

/** SQLite's file and what lies beside it. */
const SUFFIXES = ['', '-wal', '-shm', '-journal'];

/** The file in which the data folder's dev server keeps its workflows. */
export function devDatabase(folder: DataFolder): string {
  return join(folder.temporal, 'temporal.db');
}

function unfinishedMark(folder: DataFolder): string {
  return join(folder.temporal, 'temporal.db.unfinished');
}

/** To be called before a server starts: removes a file that was never finished. Nobody has worked with it. */
export async function prepareDevDatabase(folder: DataFolder): Promise<void> {
  const database = devDatabase(folder);
  if (!existsSync(database)) {
    replaceFile(unfinishedMark(folder), '', 0o600);
  } else if (existsSync(unfinishedMark(folder))) {
    await removing(
      folder,
      SUFFIXES.map((suffix) => `${database}${suffix}`),
    );
  }
}

/** To be called when a server answers, before anybody works with it: what it made is whole, and stays. */
export async function keepDevDatabase(folder: DataFolder): Promise<void> {
  if (existsSync(unfinishedMark(folder))) await removing(folder, [unfinishedMark(folder)]);
}

async function removing(folder: DataFolder, paths: readonly string[]): Promise<void> {
  try {
    for (const path of paths) await rm(path, { force: true });
    await syncFolder(folder.temporal);
  } catch (error) {
    throw fileError(error, folder.temporal, "cannot tidy up the Temporal server's folder");
  }
}

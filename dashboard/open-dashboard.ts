import { connect } from '../db/connection.ts';
import { migrateDatabase } from '../db/migrate.ts';
import { ensureDatabaseOnly } from '../services/services.ts';
import { answersFrom } from './data/answers.ts';
import { reportData, reportPage } from './report.ts';
import { serveDashboard, type Dashboard } from './server/serve.ts';

export interface OpenOptions {
  /** The data folder's absolute path. */
  readonly home: string;
  /** Receives what a user should know while Postgres starts. */
  readonly log: (message: string) => void;
}

/**
 * Serves the dashboard of a data folder; starts Postgres where it is not running.
 *
 * @param port default: a free one
 * @throws ToolsampleError `config` when the port is taken
 */
export async function openDashboard(options: OpenOptions, port?: number): Promise<Dashboard> {
  const { databaseUrl, folder } = await database(options);
  return serveDashboard({ databaseUrl, folderId: folder.id, port });
}

/**
 * Runs of a data folder as one HTML file.
 *
 * @param choose picks the runs from all ids, newest first
 * @returns the file's content, the runs, and what was left out to keep it small
 * @throws ToolsampleError `not-found`
 */
export async function makeReport(
  options: OpenOptions,
  choose: (runs: readonly string[]) => readonly string[],
): Promise<{ html: string; runs: readonly string[]; leftOut: readonly string[] }> {
  const { databaseUrl } = await database(options);
  const connection = connect(databaseUrl, { readOnly: true });
  try {
    const answers = answersFrom(connection.db);
    const runs = choose((await answers.runs()).map(({ run }) => run));
    const data = await reportData(answers, runs, new Date());
    return { html: await reportPage(data), runs, leftOut: data.leftOut };
  } finally {
    await connection.close();
  }
}

async function database({ home, log }: OpenOptions) {
  const found = await ensureDatabaseOnly({ home, log });
  await migrateDatabase(found.databaseUrl);
  return found;
}

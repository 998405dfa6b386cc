/**
 * Writes the answers of docs/sql.md anew, as `toolsample sql` prints them.
 *
 *     node --import tsx bench/sql-page.ts DATA_FOLDER
 */
import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { PROGRAM } from './served-policy.ts';
import { sqlQuestions, withAnswers } from './sql-questions.ts';

const DOCUMENT = new URL('../docs/sql.md', import.meta.url);

const home = process.argv[2] ?? '.toolsample';
const document = await readFile(DOCUMENT, 'utf8');
const answers: string[] = [];
for (const { query } of sqlQuestions(document)) {
  const { stdout } = await promisify(execFile)(process.execPath, [
    PROGRAM,
    'sql',
    query,
    '--home',
    home,
  ]);
  answers.push(stdout.trimEnd());
}
await writeFile(DOCUMENT, withAnswers(document, answers));

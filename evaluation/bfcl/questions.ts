import { createReadStream } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { ToolsampleError } from '../../contracts/errors.ts';
import type { JsonObject } from '../../contracts/json.ts';
import type { ChatMessage } from '../../contracts/sample.ts';
import {
  isFault,
  readEach,
  readMessage,
  readRecords,
  type Fault,
  type Read,
} from '../../datasets/formats/fields.ts';
import { isRecord, valueFault } from '../../datasets/ground-truth.ts';
import { jsonRows } from '../../datasets/json-rows.ts';
import { RowSplitter } from '../../datasets/row-splitter.ts';
import { parsePythonJson } from '../../dscl/python-json.ts';
import { isDict, isList, type PythonDict } from '../../dscl/python-value.ts';
import type { BfclFunction } from './check.ts';
import { BFCL_CATEGORIES, questionFiles, type BfclCategory } from './categories.ts';

/** A question as it is stored: what the policy is shown, and the functions as the checker reads them. */
export interface BfclQuestion {
  readonly id: string;
  readonly messages: readonly ChatMessage[];
  readonly functions: readonly (JsonObject & BfclFunction)[];
}

/** A question with its answer, the line of the file as it is: numbers keep their point. Null where nothing should be called. */
export interface AnsweredQuestion {
  readonly question: BfclQuestion;
  readonly answer: string | null;
}

/** All answers of a file are in memory; BFCL's largest file has 400 kB. */
const MAX_ANSWERS_BYTES = 64 * 1024 * 1024;

const HINT = 'give the files as BFCL publishes them, with possible_answer/ beside them';

/** The categories whose files of questions are in a folder, with the files. */
export async function categoriesIn(folder: string): Promise<ReadonlyMap<BfclCategory, string>> {
  const found = new Map<BfclCategory, string>();
  for (const category of BFCL_CATEGORIES) {
    for (const name of questionFiles(category)) {
      const file = join(folder, name);
      const there = await access(file).then(
        () => true,
        () => false,
      );
      if (!there || found.has(category)) continue;
      found.set(category, file);
    }
  }
  return found;
}

/** Where the answers of a file of questions lie. */
export function answersFile(file: string): string {
  return join(dirname(file), 'possible_answer', basename(file));
}

/**
 * The questions of a category in the order of its file, with their answers.
 * @throws ToolsampleError `dataset` at the first that cannot be used: a score over fewer questions is another score
 */
export async function* readQuestions(
  category: BfclCategory,
  file: string,
): AsyncGenerator<AnsweredQuestion> {
  // Relevance wants a call, of whatever kind.
  const isUnanswered = category.endsWith('relevance');
  const answers = isUnanswered ? null : await readAnswers(answersFile(file));
  for await (const row of jsonRows(file)) {
    const read = 'problem' in row ? { reason: row.problem } : readQuestion(row.content);
    if (isFault(read)) throw badQuestion(file, row.row, read);
    const question = read.value;
    const answer = answers?.get(question.id) ?? null;
    if (answers !== null && answer === null) {
      const reason = `"${question.id}" has no answer in ${answersFile(file)}`;
      throw badQuestion(file, row.row, { field: 'id', reason });
    }
    yield { question, answer };
  }
}

function badQuestion(file: string, row: number, { field, reason }: Fault): ToolsampleError {
  const at = { file, row, ...(field === undefined ? {} : { field }) };
  return new ToolsampleError('dataset', reason, { at, hint: HINT });
}

function readQuestion(content: unknown): Read<BfclQuestion> {
  if (!isRecord(content)) return { reason: 'is not an object' };
  const { id, question, function: functions } = content;
  if (typeof id !== 'string' || !/^[\w.:/-]{1,200}$/u.test(id)) {
    return { field: 'id', reason: 'is no id' };
  }
  if (!Array.isArray(question) || question.length !== 1) {
    return { field: 'question', reason: 'is not one turn' };
  }
  const records = readRecords((question as unknown[])[0], 'question[0]');
  if (isFault(records)) return records;
  const messages = readEach(records.value, 'question[0]', readMessage);
  if (isFault(messages)) return messages;
  // Some live questions offer nothing.
  const isEmpty = Array.isArray(functions) && functions.length === 0;
  const described = isEmpty ? { value: [] } : readRecords(functions, 'function');
  if (isFault(described)) return described;
  const read = readEach(described.value, 'function', readFunction);
  return isFault(read) ? read : { value: { id, messages: messages.value, functions: read.value } };
}

/** A function with all of its description, as far as the checker reads it proved. */
function readFunction(
  given: { readonly [key: string]: unknown },
  field: string,
): Read<JsonObject & BfclFunction> {
  const fault = valueFault(given, 0);
  if (fault !== undefined) return { field, reason: `has ${fault}` };
  if (typeof given['name'] !== 'string') return { field, reason: 'has no name' };
  const { parameters } = given;
  if (!isRecord(parameters) || !isRecord(parameters['properties'])) {
    return { field: `${field}.parameters`, reason: 'has no properties' };
  }
  const { properties, required } = parameters;
  const typed = Object.values(properties).every(
    (each) => isRecord(each) && typeof each['type'] === 'string',
  );
  if (!typed) return { field: `${field}.parameters`, reason: 'has a parameter without a type' };
  const isList = Array.isArray(required) && required.every((name) => typeof name === 'string');
  if (required !== undefined && required !== null && !isList) {
    return { field: `${field}.parameters.required`, reason: 'is not a list of names' };
  }
  return { value: given as JsonObject & BfclFunction };
}

/** The lines of a file of answers by id. @throws ToolsampleError `dataset` */
async function readAnswers(file: string): Promise<ReadonlyMap<string, string>> {
  const size = (await stat(file).catch(() => null))?.size;
  if (size === undefined || size > MAX_ANSWERS_BYTES) {
    const problem =
      size === undefined ? 'does not exist' : `is larger than ${MAX_ANSWERS_BYTES >> 20} MiB`;
    throw new ToolsampleError('dataset', problem, { at: { file }, hint: HINT });
  }
  const answers = new Map<string, string>();
  const splitter = new RowSplitter(file);
  const rows = [];
  for await (const chunk of createReadStream(file))
    rows.push(...splitter.push(chunk as Uint8Array));
  rows.push(...splitter.end());
  for (const { row, bytes } of rows) {
    const text = bytes === null ? '' : new TextDecoder().decode(bytes);
    const value = parsePythonJson(text);
    const id = isDict(value) ? value.get('id') : undefined;
    if (typeof id !== 'string' || groundTruth(text) === null) {
      throw new ToolsampleError('dataset', 'is not {"id": …, "ground_truth": [{…}]}', {
        at: { file, row },
        hint: HINT,
      });
    }
    answers.set(id, text);
  }
  return answers;
}

/** The calls that an answer's line allows; null: it is no answer. */
export function groundTruth(line: string): readonly PythonDict[] | null {
  const value = parsePythonJson(line);
  const truth = isDict(value) ? value.get('ground_truth') : undefined;
  if (!isList(truth)) return null;
  const calls = truth.filter(isDict);
  return calls.length === truth.length ? calls : null;
}

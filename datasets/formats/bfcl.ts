import { stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { ToolsampleError } from '../../contracts/errors.ts';
import type { ChatMessage, Sample } from '../../contracts/sample.ts';
import type { ExactRecord, ExactValue } from '../../contracts/exact-number.ts';
import { parseExactly } from '../exact-content.ts';
import { isRecord } from '../ground-truth.ts';
import { jsonRows } from '../json-rows.ts';
import { readAllowed, type AllowedValues } from './allowed-values.ts';
import {
  answered,
  called,
  conversationSamples,
  NO_TOOL_FITS,
  sampleId,
  type Turn,
} from './conversation.ts';
import { isFault, readEach, readMessage, readRecords, type Read } from './fields.ts';
import { writtenCall, type WrittenCall } from './exact-values.ts';
import type { Row, RowReader } from './row-reader.ts';
import { readTools } from './tool-definitions.ts';

/** The folder beside the questions that holds a file of answers with the same name. */
const ANSWERS = 'possible_answer';

/** All answers of a file are in memory; BFCL's largest file has 400 kB. */
const MAX_ANSWERS_BYTES = 64 * 1024 * 1024;

/** Categories in which calling nothing is right; they have no answers. */
const IRRELEVANCE = /^(live_)?irrelevance_/u;

/**
 * BFCL's questions: `id`, `question` (chat messages) and `function`; answers are `ground_truth` of the row itself, or of the
 * row with its id in `possible_answer/<same name>`. Single turns alone: in the others, tools have to be executed.
 *
 * @throws ToolsampleError `dataset` when the file of answers cannot be used
 */
export async function openBfclReader(path: string): Promise<RowReader> {
  const answers = await readAnswers(join(dirname(path), ANSWERS, basename(path)));
  return (content, file, row) => {
    if (!isRecord(content)) return [{ file, row, reason: 'is not an object' }];
    const read = readRow(content, answers, row);
    if (isFault(read)) return [{ file, row, ...read }];
    return [{ ...read.value, provenance: { format: 'bfcl', source: file, row } }];
  };
}

async function readAnswers(path: string): Promise<ReadonlyMap<unknown, unknown>> {
  const status = await stat(path).catch(() => null);
  const answers = new Map<unknown, unknown>();
  if (status?.isFile() !== true) return answers;
  if (status.size > MAX_ANSWERS_BYTES) {
    throw new ToolsampleError('dataset', `is larger than ${MAX_ANSWERS_BYTES >> 20} MiB`, {
      at: { file: path },
      hint: 'split questions and answers into several files',
    });
  }
  for await (const read of jsonRows(path, parseExactly)) {
    if ('problem' in read || !isRecord(read.content)) {
      throw new ToolsampleError('dataset', 'problem' in read ? read.problem : 'is not an object', {
        at: { file: path, row: read.row },
        hint: 'expected one {"id": …, "ground_truth": […]} a line',
      });
    }
    answers.set(read.content['id'], read.content['ground_truth']);
  }
  return answers;
}

function readRow(
  row: Row,
  answers: ReadonlyMap<unknown, unknown>,
  number: number,
): Read<Omit<Sample, 'provenance'>> {
  const messages = readQuestion(row['question']);
  if (isFault(messages)) return messages;
  const tools = readTools(row['function'], 'function');
  if (isFault(tools)) return tools;
  const id = row['id'];
  const named = typeof id === 'string' && /^[\w.:/-]{1,200}$/u.test(id) ? id : undefined;
  const none = named !== undefined && IRRELEVANCE.test(named);
  const truth = readGroundTruths(row['ground_truth'] ?? answers.get(id) ?? (none ? [] : undefined));
  if (isFault(truth)) return truth;
  const calls = truth.value.map(({ call }) => call);
  const wanted = calls.length === 0 ? answered(NO_TOOL_FITS) : called(calls);
  const turns: Turn[] = [...messages.value, wanted];
  const samples = conversationSamples(
    { tools: tools.value, turns },
    named ?? sampleId('bfcl', number),
    { format: 'bfcl', source: '', row: number },
    false,
  );
  if (isFault(samples)) return samples;
  const [sample] = samples.value;
  if (sample === undefined) return { field: 'question', reason: 'is empty' };
  return {
    value:
      calls.length === 0
        ? sample
        : { ...sample, allowedValues: truth.value.map(({ allowed }) => allowed) },
  };
}

function readQuestion(value: unknown): Read<readonly ChatMessage[]> {
  const field = 'question';
  if (!Array.isArray(value) || value.length === 0) {
    return { field, reason: 'is not a list of turns, each a list of chat messages' };
  }
  if (value.length > 1) {
    return { field, reason: `has ${value.length} turns: their tools would have to be executed` };
  }
  const records = readRecords(value[0], `${field}[0]`);
  if (isFault(records)) return records;
  return readEach(records.value, `${field}[0]`, readMessage);
}

interface PossibleAnswer {
  readonly call: WrittenCall;
  readonly allowed: AllowedValues;
}

function readGroundTruths(value: unknown): Read<readonly PossibleAnswer[]> {
  const field = 'ground_truth';
  if (value === undefined) {
    return { field, reason: `is missing, here and in ${ANSWERS}/ beside the file` };
  }
  if (!Array.isArray(value)) return { field, reason: 'is not a list of calls' };
  return readEach(value as readonly unknown[], field, readPossibleAnswer);
}

function readPossibleAnswer(item: unknown, field: string): Read<PossibleAnswer> {
  const [entry, ...others] = isRecord(item) ? Object.entries(item) : [];
  if (entry === undefined || others.length > 0 || !isRecord(entry[1])) {
    return { field, reason: 'is not {name: {parameter: [allowed values]}}' };
  }
  const [name, given] = entry;
  const allowed = readAllowed(given, field);
  if (isFault(allowed)) return allowed;
  const call = writtenCall(name, shortest(given as ExactRecord), field);
  return isFault(call) ? call : { value: { call: call.value, allowed: allowed.value } };
}

/** The first allowed value of every parameter; one that may be left out is. */
function shortest(allowed: ExactRecord): ExactRecord {
  return Object.fromEntries(
    Object.entries(allowed).flatMap(([key, list]): [string, ExactValue][] => {
      if (!Array.isArray(list)) return [[key, list]];
      const [first] = list as readonly ExactValue[];
      return first === undefined || list.includes('') ? [] : [[key, shortestValue(first)]];
    }),
  );
}

/** Dicts hold allowed values in their turn, and so do those in a list. */
function shortestValue(value: ExactValue): ExactValue {
  if (Array.isArray(value)) {
    return (value as readonly ExactValue[]).map((item) => (isRecord(item) ? shortest(item) : item));
  }
  return isRecord(value) ? shortest(value) : value;
}

import type { DataFormat } from '../../contracts/sample.ts';
import { isRecord } from '../ground-truth.ts';
import { readApigenMtRow } from './apigen-mt.ts';
import { openBfclReader } from './bfcl.ts';
import { readHermesRow } from './hermes.ts';
import { readOpenaiRow } from './openai.ts';
import { rllaSample } from './rlla.ts';
import type { Row, RowReader } from './row-reader.ts';
import { readToolaceRow } from './toolace.ts';
import { readXlamRow } from './xlam.ts';

/** Fields by which rows are told apart; also the ones that are read. The first list that a row has all of decides. */
const MARKS: readonly { readonly fields: readonly string[]; readonly format: DataFormat | null }[] =
  [
    { fields: ['prompt', 'reward_model'], format: 'rlla' },
    { fields: ['instruction', 'input', 'output'], format: 'rlla' },
    { fields: ['query', 'answers', 'tools'], format: 'xlam' },
    { fields: ['question', 'function'], format: 'bfcl' },
    { fields: ['messages'], format: 'openai' },
    // Three formats have it: the roles in it decide.
    { fields: ['conversations'], format: null },
  ];

/** Fields that a format reads besides those it is told by. */
const FURTHER_FIELDS = ['id', 'system', 'tools', 'functions', 'ground_truth', 'toolsample'];

/** A single field of rlla's that no other format has: a row that is broken, not of another format. */
const RLLA_FIELDS = ['prompt', 'reward_model', 'instruction', 'input', 'output'];

/** The format of a row, by its content; undefined: none that is known. */
export function recogniseRow(row: Row): DataFormat | undefined {
  for (const { fields, format } of MARKS) {
    if (fields.every((name) => name in row)) return format ?? conversationFormat(row);
  }
  return RLLA_FIELDS.some((name) => name in row) ? 'rlla' : undefined;
}

/**
 * ToolACE and APIGen-MT have their system text beside the conversation, Hermes in it; or beside it, where somebody took it
 * out: with its tags, or with its role `tool`. Without roles, nothing tells.
 */
function conversationFormat(row: Row): DataFormat | undefined {
  const roles = new Set<unknown>();
  const entries: unknown = row['conversations'];
  if (Array.isArray(entries)) {
    for (const entry of entries) if (isRecord(entry)) roles.add(entry['from']);
  }
  if (roles.size === 0) return undefined;
  if (roles.has('function_call') || roles.has('observation')) return 'apigen-mt';
  const system = row['system'];
  if (typeof system !== 'string') return 'hermes';
  if (roles.has('user') || roles.has('assistant')) return 'toolace';
  return roles.has('tool') || system.includes('<tools>') ? 'hermes' : 'apigen-mt';
}

/** ShareGPT's forms: a conversation in which nothing is called does not tell which of them it is. */
const SHAREGPT: ReadonlySet<DataFormat> = new Set(['hermes', 'apigen-mt']);

/**
 * The format of a file with a row of this one after rows of the other; undefined: they are not of one file. Each row is read
 * as what it is itself. (Not ToolACE's with the others: without its system text a row's calls would be read as words.)
 */
export function commonFormat(
  before: DataFormat | undefined,
  found: DataFormat,
): DataFormat | undefined {
  if (before === undefined || before === found) return found;
  return SHAREGPT.has(before) && SHAREGPT.has(found) ? 'apigen-mt' : undefined;
}

/** The columns of a parquet file that are read; undefined: it is of no known format. */
export function knownColumns(columns: readonly string[]): string[] | undefined {
  const found = MARKS.find(({ fields }) => fields.every((name) => columns.includes(name)));
  if (found === undefined) return undefined;
  if (found.format === 'rlla') return [...found.fields];
  const further = FURTHER_FIELDS.filter(
    (name) => columns.includes(name) && !found.fields.includes(name),
  );
  return [...found.fields, ...further];
}

/** What is said of rows whose format is not known. */
export const KNOWN_FORMATS =
  'expected rows of rlla, xLAM, ToolACE, Hermes, APIGen-MT, OpenAI or BFCL, see docs/data.md';

const READERS: { readonly [format in Exclude<DataFormat, 'bfcl'>]: RowReader } = {
  rlla: (content, file, row) => [rllaSample(content, file, row)],
  xlam: readXlamRow,
  toolace: readToolaceRow,
  hermes: readHermesRow,
  'apigen-mt': readApigenMtRow,
  openai: readOpenaiRow,
};

/** The reader of a format. @throws ToolsampleError `dataset` when files that belong to this one cannot be used */
export async function openRowReader(format: DataFormat, path: string): Promise<RowReader> {
  return format === 'bfcl' ? openBfclReader(path) : READERS[format];
}

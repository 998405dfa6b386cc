import type { DataReport, LengthSummary, PromptLengths } from '../../contracts/data-report.ts';
import { COMPLETION_SHAPES, type Sample } from '../../contracts/sample.ts';
import { withCallsAsText } from '../../contracts/tool-call-text.ts';
import { block } from './outcome.ts';
import { count, counted, printable, table, type Paint } from './text.ts';

/** Longer texts of the first sample are cut. */
const MAX_SHOWN = 4000;

/** What `data inspect` prints. */
export function dataReportLines(report: DataReport, paint: Paint): string[] {
  const { format, samples, rows, badRows, file } = report;
  return [
    paint.bold(printable(file)),
    `format ${format ?? 'unknown'}, ${counted(samples, 'sample')} of ${counted(rows, 'row')}, ${counted(badRows, 'bad row')}`,
    ...(samples === 0 ? [] : ['', ...lengthTable(report, paint), '', ...taskLines(report)]),
    ...toolTable(report, paint),
    ...problemLines(report, paint),
    ...firstLines(report, paint),
  ];
}

function lengthTable({ characters, tokens }: DataReport, paint: Paint): string[] {
  const rows = [...lengthRows('characters', characters), ...lengthRows('tokens', tokens)];
  return table(['length', 'min', 'median', '95%', 'max'], rows, { paint });
}

function lengthRows(unit: string, lengths: PromptLengths | null): string[][] {
  if (lengths === null) return [];
  const row = (what: string, { min, median, p95, max }: LengthSummary): string[] => [
    `${what}, ${unit}`,
    ...[min, median, p95, max].map(count),
  ];
  return [row('prompt', lengths.prompt), row('reference', lengths.completion)];
}

function taskLines({ shapes, callsPerSample }: DataReport): string[] {
  const wanted = COMPLETION_SHAPES.filter((shape) => shapes[shape] > 0);
  const calls = Object.entries(callsPerSample);
  return [
    `wanted: ${wanted.map((shape) => `${shape} ${count(shapes[shape])}`).join(', ')}`,
    `calls per sample: ${calls.map(([number, times]) => `${number} in ${count(times)}`).join(', ')}`,
  ];
}

function toolTable({ tools }: DataReport, paint: Paint): string[] {
  if (tools.names === 0) return [];
  const rows = tools.most.map(({ name, offered, called }) => [
    printable(name),
    count(offered),
    count(called),
  ]);
  const title = `tool (${rows.length} of ${count(tools.names)})`;
  return ['', ...table([title, 'samples that offer it', 'that call it'], rows, { paint })];
}

function problemLines({ problems, badRows }: DataReport, paint: Paint): string[] {
  if (badRows === 0) return [];
  const more = badRows - problems.length;
  return [
    '',
    paint.bold('bad rows'),
    ...problems.map(({ row, field, reason }) =>
      printable(`  row ${row}${field === undefined ? '' : `, field "${field}"`}: ${reason}`),
    ),
    ...(more > 0 ? [`  and ${count(more)} more`] : []),
  ];
}

function firstLines({ first, firstPrompt }: DataReport, paint: Paint): string[] {
  if (first === null) return [];
  const { id, provenance, groundTruth } = first;
  const { source, row, turn } = provenance;
  const place = `${source}, row ${row}${turn === undefined ? '' : `, turn ${turn}`}`;
  return [
    '',
    paint.bold(printable(`first sample: ${id} (${place})`)),
    ...(firstPrompt === null
      ? promptLines(first)
      : block('prompt, as the policy gets it', shortened(firstPrompt))),
    ...block('wanted', shortened(groundTruth)),
  ];
}

function promptLines({ messages, tools }: Sample): string[] {
  const offered = (tools ?? []).map(({ name, description }) => `${name}: ${description}`);
  return [
    ...(tools === undefined ? [] : block(`tools (${tools.length})`, shortened(offered.join('\n')))),
    ...messages
      .map(withCallsAsText)
      .flatMap(({ role, content }) => block(role, shortened(content))),
  ];
}

function shortened(text: string): string {
  return text.length <= MAX_SHOWN
    ? text
    : `${text.slice(0, MAX_SHOWN)}… (${count(text.length - MAX_SHOWN)} characters more)`;
}

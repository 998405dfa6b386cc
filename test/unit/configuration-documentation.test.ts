import { readFileSync, writeFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { CHANGEABILITY, type Changeability } from '../../contracts/changeability.ts';
import type { RunConfig, RunConfigInput } from '../../contracts/config.ts';
import type { HeldOutSplit, LeftOutRows, RunDataStatus } from '../../contracts/run-data.ts';
import type { EvaluationStatus, RunStatus, StepStatus } from '../../contracts/run-status.ts';
import { SAMPLERS } from '../../contracts/sampling.ts';
import { REASONS } from '../../services/configuration/change.ts';
import { flagsFromSchema, valueAt, valueText } from '../../services/configuration/flags.ts';
import { ALIASES, spell } from '../../services/configuration/names.ts';
import { resolveConfig } from '../../services/configuration/resolve.ts';
import { GROUPS } from '../../services/configuration/setting-groups.ts';

const DOCUMENT = new URL('../../docs/cli.md', import.meta.url);

/** What changes defaults, in the order of a cell: where several hold, the last one counts. */
interface Choice {
  readonly name: string;
  readonly when: Readonly<Record<string, string | boolean>>;
  /** What it is compared with. Not told of it is what is given here: that follows from another choice. */
  readonly against: RunConfigInput;
}
const YOURS = { policy: 'DIR' };
const CHOICES: readonly Choice[] = [
  { name: 'your policy', when: YOURS, against: {} },
  { name: 'your policy with LoRA', when: { ...YOURS, trainMode: 'lora' }, against: YOURS },
  { name: 'your data', when: { data: 'FILE' }, against: {} },
  {
    name: '`random` with your data',
    when: { policy: 'random', data: 'FILE' },
    against: { data: 'FILE' },
  },
  { name: '`dapo`', when: { sampler: 'dapo' }, against: YOURS },
  { name: 'without filtering', when: { filterGroups: false }, against: YOURS },
  {
    name: '`uniform`',
    when: { sampler: 'uniform' },
    against: { ...YOURS, oversample: 1, maxBackfillRounds: 0 },
  },
  {
    name: '`tinker`',
    when: { backend: 'tinker' },
    against: { ...YOURS, learningRate: 1e-4 },
  },
];

/** Values that follow others, as the tables have them. */
const TENTH = 'a tenth of the first';
const DATA = 'as `--data`';

/** Defaults by path as the tables have them, those of a cold start's phase among them. */
type Defaults = (path: string) => string;

function defaultsOf(input: RunConfigInput): { readonly config: RunConfig; readonly at: Defaults } {
  // A training service has no cold start.
  const phases = input['backend'] === 'tinker' ? [] : [{ steps: 1 }];
  const config = resolveConfig({ warmStart: phases, ...input });
  const [warmStart] = config.warmStart;
  const flat = { ...config, warmStart } as unknown as RunConfig;
  const at: Defaults = (path) => {
    // What makes a phase has no default.
    if (path === 'warmStart.steps') return '';
    const value = valueAt(flat, path);
    const isTenth = warmStart !== undefined && value === warmStart.learningRate / 10;
    if (path === 'warmStart.finalLearningRate' && isTenth) return TENTH;
    return value === 'FILE' ? DATA : code(valueText(value));
  };
  return { config, at };
}

/** What a choice changes, each value with its path. */
function changesOf({ when, against }: Choice): ReadonlyMap<string, string> {
  const [before, after] = [defaultsOf(against).at, defaultsOf({ ...against, ...when }).at];
  const given = new Set([...Object.keys(when), ...Object.keys(against)]);
  return new Map(
    flagsFromSchema()
      .map(({ path }) => [path, after(path)] as const)
      .filter(([path, value]) => value !== '' && value !== before(path) && !given.has(path)),
  );
}

const CHANGES = CHOICES.map((choice) => ({ ...choice, changes: changesOf(choice) }));

/** `VALUE`: choice, or choice; `VALUE`: … */
function otherDefaults(path: string): string {
  const names = new Map<string, string[]>();
  for (const { name, changes } of CHANGES) {
    const value = changes.get(path);
    if (value !== undefined) names.set(value, [...(names.get(value) ?? []), name]);
  }
  return [...names].map(([value, of]) => `${value}: ${of.join(', or ')}`).join('; ');
}

/** The tables of docs/cli.md, made from the schema. `UPDATE_DOCS=1` writes them. */
function flagTables(): string {
  const plain = defaultsOf({}).at;
  const rows = flagsFromSchema().map((flag) => ({ ...flag, others: otherDefaults(flag.path) }));
  return GROUPS.map((group) => {
    const flags = rows.filter((flag) => flag.group === group);
    const others = flags.some((flag) => flag.others !== '');
    return [
      `### ${group}`,
      '',
      `| flag | meaning | accepts | default |${others ? ' other defaults |' : ''}`,
      `| --- | --- | --- | --- |${others ? ' --- |' : ''}`,
      ...flags.map(
        (flag) =>
          `| \`${flag.flag}\` | ${flag.description} | ${flag.range} | ${plain(flag.path)} |${others ? ` ${flag.others} |` : ''}`,
      ),
    ].join('\n');
  }).join('\n\n');
}

/** What can change at all in that way, in the order of the flags. */
function changeableKeys(changeability: Changeability): string {
  const keys = flagsFromSchema().filter(
    ({ path }) => (CHANGEABILITY as { readonly [path: string]: string })[path] === changeability,
  );
  return keys.map(({ path }) => code(spell(path, 'snake'))).join(', ');
}

/** What a fork can never change, by what it would contradict. */
function fixedKeys(): string {
  return [
    '| refused | because |',
    '| --- | --- |',
    ...Object.entries(REASONS).map(
      ([why, reason]) => `| ${changeableKeys(why as keyof typeof REASONS)} | ${reason} |`,
    ),
  ].join('\n');
}

function aliasTable(): string {
  return [
    '| also accepted | is |',
    '| --- | --- |',
    ...Object.entries(ALIASES).map(([alias, path]) => `| \`${alias}\` | \`${path}\` |`),
  ].join('\n');
}

function code(text: string): string {
  return text === '' ? '' : `\`${text}\``;
}

function withSection(document: string, name: string, content: string): string {
  const section = new RegExp(`(<!-- ${name} -->\n)[^]*?(<!-- /${name} -->)`);
  expect(document).toMatch(section);
  return document.replace(
    section,
    (_, begin: string, end: string) => `${begin}\n${content}\n\n${end}`,
  );
}

/** Tables compare by content: prettier pads their columns. */
function squeezed(text: string): string {
  return text.replaceAll(/ *\| */g, '|').replaceAll(/-+/g, '-');
}

it('docs/cli.md describes every flag as the schema has it', () => {
  const document = readFileSync(DOCUMENT, 'utf8');
  const tables = withSection(withSection(document, 'flags', flagTables()), 'aliases', aliasTable());
  const live = withSection(tables, 'changeable', `Can change: ${changeableKeys('live')}.`);
  const forkable = `And only in a fork: ${changeableKeys('fork')}.`;
  const made = withSection(withSection(live, 'forkable', forkable), 'fixed', fixedKeys());
  if (process.env['UPDATE_DOCS'] === '1') writeFileSync(DOCUMENT, made);
  else expect(squeezed(document)).toBe(squeezed(made));
});

it('every default that follows from a choice is the one that docs/cli.md tells', () => {
  const plain = defaultsOf({}).at;
  for (const given of combinations()) {
    const { config, at } = defaultsOf(given);
    const holding = CHANGES.filter(({ when }) =>
      Object.entries(when).every(([path, value]) => valueAt(config, path) === value),
    );
    for (const { path } of flagsFromSchema()) {
      if (path in given || at(path) === '') continue;
      const told = holding.findLast(({ changes }) => changes.has(path))?.changes.get(path);
      expect(at(path), `${path} with ${JSON.stringify(given)}`).toBe(told ?? plain(path));
    }
  }
});

/** Of all that defaults are said to depend on. */
function combinations(): RunConfigInput[] {
  const values: readonly (readonly RunConfigInput[])[] = [
    [{}, { policy: 'random' }, YOURS],
    [{}, { data: 'FILE' }],
    [{}, { trainMode: 'full' }, { trainMode: 'lora' }, { backend: 'tinker' }],
    SAMPLERS.map((sampler) => ({ sampler })),
    [{}, { filterGroups: true }, { filterGroups: false }],
  ];
  const all = values.reduce<readonly RunConfigInput[]>(
    (made, choices) => made.flatMap((one) => choices.map((choice) => ({ ...one, ...choice }))),
    [{}],
  );
  // A training service has its own policy.
  return all.filter(({ backend, policy }) => backend !== 'tinker' || policy === YOURS.policy);
}

it('docs/cli.md names every field of the status, as --json prints it', () => {
  const document = readFileSync(DOCUMENT, 'utf8');
  const fields = [
    ...Object.keys(STATUS),
    ...Object.keys(RUN_DATA),
    ...Object.keys(EVALUATION),
    ...Object.keys(STEP),
  ];
  for (const field of fields) expect(document).toContain(`"${field}":`);
});

/** Typed so that a field that is added to the contract has to be added here, and so to the documentation. */
const STATUS: { [field in keyof RunStatus]: true } = {
  run: true,
  state: true,
  withoutWorker: true,
  epoch: true,
  step: true,
  totalSteps: true,
  policySha256: true,
  policyFolder: true,
  policyStep: true,
  generatedTokens: true,
  data: true,
  evaluations: true,
  lastStep: true,
  forkOf: true,
  startedAt: true,
  finishedAt: true,
  reason: true,
  requested: true,
  requests: true,
  settings: true,
};
const RUN_DATA: { [field in keyof (RunDataStatus & LeftOutRows & HeldOutSplit)]: true } = {
  samples: true,
  promptLimit: true,
  leftOut: true,
  heldOut: true,
  part: true,
  rows: true,
  rejectedRows: true,
  overlongPrompts: true,
  split: true,
};
const EVALUATION: { [field in keyof EvaluationStatus]: true } = {
  epoch: true,
  step: true,
  split: true,
  n: true,
  exactMatch: true,
  exactMatchLow: true,
  exactMatchHigh: true,
  reward: true,
  rewardLow: true,
  rewardHigh: true,
  scores: true,
  seconds: true,
};
const STEP: { [field in keyof StepStatus]: true } = {
  step: true,
  reward: true,
  rewardStd: true,
  fracRewardZeroStd: true,
  groups: true,
  keptGroups: true,
  mastery: true,
  weights: true,
  generatedTokens: true,
  loss: true,
  rolloutSeconds: true,
  gradientSeconds: true,
  wallSeconds: true,
};

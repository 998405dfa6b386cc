import { readFileSync, writeFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { CHANGEABILITY, type Changeability } from '../../contracts/changeability.ts';
import type { EvaluationStatus, RunStatus, StepStatus } from '../../contracts/run-status.ts';
import { REASONS } from '../../services/configuration/change.ts';
import { flagsFromSchema, valueAt, valueText } from '../../services/configuration/flags.ts';
import { ALIASES, spell } from '../../services/configuration/names.ts';
import { resolveConfig } from '../../services/configuration/resolve.ts';
import { GROUPS } from '../../services/configuration/setting-groups.ts';

const DOCUMENT = new URL('../../docs/cli.md', import.meta.url);

/** The tables of docs/cli.md, made from the schema. `UPDATE_DOCS=1` writes them. */
function flagTables(): string {
  const own = resolveConfig({ policy: 'DIR', data: 'FILE' });
  const flags = flagsFromSchema();
  return GROUPS.map((group) =>
    [
      `### ${group}`,
      '',
      '| flag | meaning | accepts | default | with your own policy and data |',
      '| --- | --- | --- | --- | --- |',
      ...flags
        .filter((flag) => flag.group === group)
        .map(({ flag, path, description, range, defaultText }) => {
          const ownText = valueText(valueAt(own, path));
          const given = path === 'policy' || path === 'data';
          return `| \`${flag}\` | ${description} | ${range} | ${code(defaultText)} | ${ownText === defaultText || given ? '' : code(ownText)} |`;
        }),
    ].join('\n'),
  ).join('\n\n');
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

it('docs/cli.md names every field of the status, as --json prints it', () => {
  const document = readFileSync(DOCUMENT, 'utf8');
  const fields = [...Object.keys(STATUS), ...Object.keys(EVALUATION), ...Object.keys(STEP)];
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

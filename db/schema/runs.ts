import { foreignKey, index, integer, pgTable, primaryKey, timestamp } from 'drizzle-orm/pg-core';
import type { RunConfig } from '../../contracts/config.ts';
import type { JsonObject, JsonValue } from '../../contracts/json.ts';
import type { PendingRequest } from '../../contracts/requests.ts';
import { RUN_STATES, type RunState } from '../../contracts/run-status.ts';
import { SELECTIONS, type Selection } from '../../contracts/large-corpus.ts';
import { count, json, oneOf, text } from '../columns.ts';
import { commentsOnTable } from '../comments.ts';
import { corpora } from './corpora.ts';

const PENDING: readonly PendingRequest[] = ['pause', 'stop', 'cancel'];

export const runs = pgTable(
  'runs',
  {
    run: text('run').primaryKey(),
    state: text('state').$type<RunState>().notNull(),
    reason: text('reason'),
    requested: text('requested').$type<PendingRequest>(),
    policy: text('policy').notNull(),
    sampler: text('sampler').notNull(),
    curriculum: text('curriculum').notNull(),
    config: json('config').$type<RunConfig>().notNull(),
    configSha256: text('config_sha256').notNull(),
    corpus: text('corpus').notNull(),
    corpusSamples: integer('corpus_samples').notNull(),
    selection: text('selection').$type<Selection>().notNull().default('scan'),
    rejectedRows: integer('rejected_rows').notNull(),
    overlongPrompts: integer('overlong_prompts').notNull(),
    policyParameters: count('policy_parameters'),
    contextLength: integer('context_length').notNull(),
    epochs: integer('epochs').notNull(),
    stepsPerEpoch: integer('steps_per_epoch').notNull(),
    totalSteps: integer('total_steps').notNull(),
    warmStartSlices: integer('warm_start_slices').notNull(),
    evaluateAt: integer('evaluate_at').array().notNull(),
    policySha256: text('policy_sha256'),
    policyFolder: text('policy_folder'),
    policyStep: integer('policy_step'),
    forkOf: text('fork_of'),
    forkStep: integer('fork_step'),
    startedAt: timestamp('started_at', { withTimezone: true }).notNull().defaultNow(),
    finishedAt: timestamp('finished_at', { withTimezone: true }),
  },
  (table) => [
    foreignKey({ columns: [table.corpus], foreignColumns: [corpora.corpus] }),
    oneOf('runs_state', table.state, RUN_STATES),
    oneOf('runs_requested', table.requested, PENDING),
    oneOf('runs_selection', table.selection, SELECTIONS),
    index('runs_newest_first').on(table.startedAt.desc()),
  ],
);

export const runsComments = commentsOnTable(runs, 'Training runs.', {
  run: 'Id of the run, which is also its workflow id.',
  state: 'running, paused, completed, failed, or stopped (resume goes on).',
  reason: 'Why the run failed or stopped.',
  requested: 'pause, stop or cancel: what was asked of the run and has not come about yet.',
  policy: 'The policy the run started from, as configured.',
  sampler: 'How prompts are chosen: uniform, dscl, dapo, vcrl or difficulty.',
  curriculum: 'Whether sub-task weights follow mastery: none or tdcl.',
  config:
    'The whole configuration it was started with, all defaults filled in; setting_changes says what changed since.',
  configSha256: 'SHA-256 of the configuration with sorted keys: a run id keeps its configuration.',
  corpus: 'Corpus trained on.',
  corpusSamples: 'Samples of that corpus.',
  selection:
    'How batches are picked from it: scan (the whole corpus is put in order) or sums (large corpora: see importance_sums).',
  rejectedRows: 'Rows of the data that could not be used (the reasons are in events).',
  overlongPrompts: 'Samples left out because their prompt is too long.',
  policyParameters:
    'Parameters of the policy; null where a training service has it, and for runs that older versions prepared.',
  contextLength: 'Context of the policy, in tokens.',
  epochs: 'Epochs planned.',
  stepsPerEpoch: 'Steps of an epoch.',
  totalSteps: 'Steps planned in all.',
  warmStartSlices: 'Durable slices of the warm start planned; 0 without one.',
  evaluateAt: 'Steps after which the policy is evaluated; step 0 always is.',
  policySha256:
    'SHA-256 of the exported model.safetensors; null until completed, or stopped by `stop`.',
  policyFolder: 'Exported Hugging Face folder; null until then.',
  policyStep: 'Step whose policy was exported; null until then, and for runs of older versions.',
  forkOf: 'The run of which this is a fork, which may be gone; null for one that began anew.',
  forkStep: 'The fork took over what that run had after this step; rows up to it are copies.',
  startedAt: 'When the run was first prepared.',
  finishedAt: 'When the run completed, failed or stopped.',
});

export const runSplits = pgTable(
  'run_splits',
  {
    run: text('run').notNull(),
    split: text('split').notNull(),
    ordinal: integer('ordinal').notNull(),
    corpus: text('corpus').notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.run, table.split] }),
    foreignKey({ columns: [table.run], foreignColumns: [runs.run] }),
    foreignKey({ columns: [table.corpus], foreignColumns: [corpora.corpus] }),
  ],
);

export const runSplitsComments = commentsOnTable(
  runSplits,
  'Held-out corpora on which a run is evaluated.',
  {
    run: 'The run.',
    split: 'Name of the split, e.g. heldout.',
    ordinal: 'Order of the splits, from 0; the first is also evaluated in between.',
    corpus: 'Corpus of the split.',
  },
);

export const events = pgTable(
  'events',
  {
    run: text('run').notNull(),
    event: text('event').notNull(),
    kind: text('kind').notNull(),
    step: integer('step'),
    message: text('message').notNull(),
    details: json('details').$type<JsonObject>(),
    happenedAt: timestamp('happened_at', { withTimezone: true }).notNull().defaultNow(),
  },
  (table) => [
    primaryKey({ columns: [table.run, table.event] }),
    foreignKey({ columns: [table.run], foreignColumns: [runs.run] }),
  ],
);

export const eventsComments = commentsOnTable(
  events,
  'What happened to a run besides its steps: rows rejected, all mastered, resumed, failed, requests, …',
  {
    run: 'The run.',
    event: 'Key of the event within the run: a retry records it once.',
    kind: 'Kind of event, e.g. rejected-rows, all_mastered, resumed.',
    step: 'Step it belongs to.',
    message: 'What happened, for people.',
    details: 'The same for programs.',
    happenedAt: 'When it was recorded.',
  },
);

export const settingChanges = pgTable(
  'setting_changes',
  {
    run: text('run').notNull(),
    ordinal: integer('ordinal').notNull(),
    key: text('key').notNull(),
    valueBefore: json('value_before').$type<JsonValue>().notNull(),
    value: json('value').$type<JsonValue>().notNull(),
    fromStep: integer('from_step').notNull(),
    event: text('event').notNull(),
    changedAt: timestamp('changed_at', { withTimezone: true }).notNull().defaultNow(),
  },
  (table) => [
    primaryKey({ columns: [table.run, table.ordinal] }),
    foreignKey({ columns: [table.run, table.event], foreignColumns: [events.run, events.event] }),
  ],
);

export const settingChangesComments = commentsOnTable(
  settingChanges,
  'Settings changed while a run was under way (`toolsample set`), or by a fork; a step has what held when its batch was selected.',
  {
    run: 'The run.',
    ordinal: 'Order of the changes, from 0; of two for the same step the later one holds.',
    key: 'The setting, e.g. learningRate.',
    valueBefore: 'Its value before.',
    value: 'Its value from then on.',
    fromStep: 'First step that has it.',
    event: 'The request, or the fork, that asked for it, in events.',
    changedAt: 'When it was recorded.',
  },
);

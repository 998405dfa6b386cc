import { sql } from 'drizzle-orm';
import { boolean, doublePrecision as float, integer, pgView } from 'drizzle-orm/pg-core';
import type { Category } from '../../contracts/sampling.ts';
import { count, text } from '../columns.ts';
import { commentsOnView } from '../comments.ts';
import type { DropReason, GroupState } from './rollouts.ts';

export const learningCurve = pgView('learning_curve', {
  run: text('run').notNull(),
  step: integer('step').notNull(),
  epoch: integer('epoch').notNull(),
  generatedTokens: count('generated_tokens').notNull(),
  reward: float('reward'),
  rewardStd: float('reward_std'),
  exactMatch: float('exact_match'),
  fracRewardZeroStd: float('frac_reward_zero_std'),
  keptGroups: integer('kept_groups'),
  active: boolean('active'),
  loss: float('loss'),
  heldoutSplit: text('heldout_split'),
  heldoutExactMatch: float('heldout_exact_match'),
  heldoutReward: float('heldout_reward'),
}).as(sql`
  select
    coalesce(s.run, e.run) as run,
    coalesce(s.step, e.step) as step,
    coalesce(s.epoch, e.epoch) as epoch,
    coalesce(s.tokens, 0)::bigint as generated_tokens,
    s.reward, s.reward_std, s.exact_match, s.frac_reward_zero_std, s.kept_groups, s.active, s.loss,
    e.split as heldout_split,
    e.exact_match as heldout_exact_match,
    e.reward as heldout_reward
  from (
    select *, sum(generated_tokens) over (partition by run order by step) as tokens
    from steps where state <> 'selected'
  ) s
  full join (
    select evaluations.* from evaluations
    join run_splits on run_splits.run = evaluations.run
      and run_splits.split = evaluations.split and run_splits.ordinal = 0
  ) e on e.run = s.run and e.step = s.step
  order by 1, 2`);

export const learningCurveComments = commentsOnView(
  learningCurve,
  'Reward against steps and generated tokens, with the held-out evaluation where there was one.',
  {
    run: 'The run.',
    step: 'The step; 0 before training.',
    epoch: 'Its epoch; 0 before training.',
    generatedTokens: 'Completion tokens sampled for training up to and including this step.',
    reward: 'Mean unweighted reward of the training batch.',
    rewardStd: 'Mean over groups of the standard deviation of the reward.',
    exactMatch: 'Share of exact matches in the training batch.',
    fracRewardZeroStd: 'Share of groups without variance.',
    keptGroups: 'Groups trained on.',
    active: 'Dynamic sampling chose the prompts.',
    loss: 'Loss of the update.',
    heldoutSplit: 'First held-out split, when it was evaluated after this step.',
    heldoutExactMatch: 'Its share of exact matches.',
    heldoutReward: 'Its mean reward.',
  },
);

export const sampleLifecycle = pgView('sample_lifecycle', {
  run: text('run').notNull(),
  sampleId: text('sample_id').notNull(),
  visit: integer('visit').notNull(),
  step: integer('step').notNull(),
  level: integer('level'),
  drawnCategory: text('drawn_category').$type<Category>().notNull(),
  drawnImportance: float('drawn_importance').notNull(),
  reward: float('reward'),
  rewardStd: float('reward_std'),
  exactMatch: float('exact_match'),
  state: text('state').$type<GroupState>().notNull(),
  dropReason: text('drop_reason').$type<DropReason>(),
}).as(sql`
  select
    g.run, g.sample_id,
    (row_number() over (partition by g.run, g.sample_id order by g.step))::integer as visit,
    g.step, s.level, g.drawn_category, g.drawn_importance,
    g.reward, g.reward_std, g.exact_match, g.state, g.drop_reason
  from groups g join samples s on s.corpus = g.corpus and s.sample_id = g.sample_id
  where g.round is not null
  order by g.run, g.sample_id, g.step`);

export const sampleLifecycleComments = commentsOnView(
  sampleLifecycle,
  'Each visit of each sample: why it was drawn, how the policy did, and whether it was trained on.',
  {
    run: 'The run.',
    sampleId: 'The sample.',
    visit: 'Number of the visit, from 1.',
    step: 'Step of the visit.',
    level: 'Difficulty of the sample where known.',
    drawnCategory: 'Category when it was drawn.',
    drawnImportance: 'Importance when it was drawn.',
    reward: 'Mean unweighted reward of its completions.',
    rewardStd: 'Standard deviation of the reward.',
    exactMatch: 'Share of exact matches.',
    state: 'drawn (not yet decided), kept or dropped.',
    dropReason: 'Why it was dropped.',
  },
);

export const subtaskMastery = pgView('subtask_mastery', {
  run: text('run').notNull(),
  step: integer('step').notNull(),
  subtask: text('subtask').notNull(),
  mastery: float('mastery'),
  weight: float('weight').notNull(),
}).as(sql`
  select c.run, c.version as step, t.subtask, t.mastery, t.weight
  from curriculum_versions c
  cross join lateral (values
    (1, 'format', c.mastery_format, c.weight_format),
    (2, 'name', c.mastery_name, c.weight_name),
    (3, 'key', c.mastery_key, c.weight_key),
    (4, 'value', c.mastery_value, c.weight_value)
  ) t (place, subtask, mastery, weight)
  order by c.run, c.version, t.place`);

export const subtaskMasteryComments = commentsOnView(
  subtaskMastery,
  'Mastery and weight of each sub-task after each step.',
  {
    run: 'The run.',
    step: 'Step after which it holds; 0: the start.',
    subtask: 'format, name, key or value.',
    mastery: 'Moving average of its conditional success rate; null before the first evidence.',
    weight: 'Its weight in the reward of the next step.',
  },
);

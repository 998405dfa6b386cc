CREATE TABLE "corpora" (
	"corpus" text PRIMARY KEY NOT NULL,
	"source" text NOT NULL,
	"samples" integer NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "samples" (
	"corpus" text NOT NULL,
	"sample_id" text NOT NULL,
	"ordinal" integer NOT NULL,
	"reward_min" double precision NOT NULL,
	"reward_max" double precision NOT NULL,
	"level" integer,
	"shape" text NOT NULL,
	"source_format" text NOT NULL,
	"source_name" text NOT NULL,
	"source_row" integer NOT NULL,
	"messages" json NOT NULL,
	"ground_truth" text NOT NULL,
	"calls" json NOT NULL,
	"allowed_values" json,
	CONSTRAINT "samples_corpus_sample_id_pk" PRIMARY KEY("corpus","sample_id"),
	CONSTRAINT "samples_shape" CHECK ("samples"."shape" in ('think', 'call', 'response', 'both'))
);
--> statement-breakpoint
CREATE TABLE "curriculum_versions" (
	"run" text NOT NULL,
	"version" integer NOT NULL,
	"mastery_format" double precision,
	"mastery_name" double precision,
	"mastery_key" double precision,
	"mastery_value" double precision,
	"weight_format" double precision NOT NULL,
	"weight_name" double precision NOT NULL,
	"weight_key" double precision NOT NULL,
	"weight_value" double precision NOT NULL,
	"active" boolean NOT NULL,
	"streak" integer NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "curriculum_versions_run_version_pk" PRIMARY KEY("run","version")
);
--> statement-breakpoint
CREATE TABLE "sample_statistics" (
	"run" text NOT NULL,
	"sample_id" text NOT NULL,
	"corpus" text NOT NULL,
	"visits" integer NOT NULL,
	"mean" double precision NOT NULL,
	"within_variance" double precision NOT NULL,
	"epoch_variance" double precision NOT NULL,
	"mean_of_means" double precision NOT NULL,
	"m2_of_means" double precision NOT NULL,
	"group_size" integer NOT NULL,
	"last_step" integer NOT NULL,
	"category" text NOT NULL,
	"importance" double precision NOT NULL,
	CONSTRAINT "sample_statistics_run_sample_id_pk" PRIMARY KEY("run","sample_id"),
	CONSTRAINT "sample_statistics_category" CHECK ("sample_statistics"."category" in ('new', 'easy', 'hard-live', 'hard-dead', 'plateau', 'active'))
);
--> statement-breakpoint
CREATE TABLE "checkpoints" (
	"run" text NOT NULL,
	"step" integer NOT NULL,
	"slice" integer NOT NULL,
	"base_sha256" text NOT NULL,
	"base_bytes" bigint NOT NULL,
	"weights_sha256" text,
	"weights_bytes" bigint,
	"optimizer_sha256" text,
	"optimizer_bytes" bigint,
	"optimizer_steps" integer NOT NULL,
	"loss" double precision,
	"trained_tokens" bigint NOT NULL,
	"pruned" boolean DEFAULT false NOT NULL,
	"training_seconds" double precision NOT NULL,
	"committed_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "checkpoints_run_step_slice_pk" PRIMARY KEY("run","step","slice")
);
--> statement-breakpoint
CREATE TABLE "evaluation_samples" (
	"run" text NOT NULL,
	"step" integer NOT NULL,
	"split" text NOT NULL,
	"sample_id" text NOT NULL,
	"corpus" text NOT NULL,
	"completion" text NOT NULL,
	"completion_tokens" integer NOT NULL,
	"exact_match" boolean NOT NULL,
	"reward" double precision NOT NULL,
	"score_format" double precision NOT NULL,
	"score_name" double precision NOT NULL,
	"score_key" double precision NOT NULL,
	"score_value" double precision NOT NULL,
	CONSTRAINT "evaluation_samples_run_step_split_sample_id_pk" PRIMARY KEY("run","step","split","sample_id")
);
--> statement-breakpoint
CREATE TABLE "evaluations" (
	"run" text NOT NULL,
	"step" integer NOT NULL,
	"split" text NOT NULL,
	"epoch" integer NOT NULL,
	"n" integer NOT NULL,
	"exact_match" double precision NOT NULL,
	"exact_match_low" double precision NOT NULL,
	"exact_match_high" double precision NOT NULL,
	"reward" double precision NOT NULL,
	"score_format" double precision NOT NULL,
	"score_name" double precision NOT NULL,
	"score_key" double precision NOT NULL,
	"score_value" double precision NOT NULL,
	"evaluation_seconds" double precision NOT NULL,
	"evaluated_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "evaluations_run_step_split_pk" PRIMARY KEY("run","step","split")
);
--> statement-breakpoint
CREATE TABLE "groups" (
	"run" text NOT NULL,
	"step" integer NOT NULL,
	"rank" integer NOT NULL,
	"corpus" text NOT NULL,
	"sample_id" text NOT NULL,
	"round" integer,
	"shard" integer,
	"state" text NOT NULL,
	"drop_reason" text,
	"drawn_category" text NOT NULL,
	"drawn_importance" double precision NOT NULL,
	"reward" double precision,
	"reward_std" double precision,
	"weighted_reward" double precision,
	"weighted_reward_std" double precision,
	"exact_match" double precision,
	CONSTRAINT "groups_run_step_rank_pk" PRIMARY KEY("run","step","rank"),
	CONSTRAINT "groups_one_per_sample" UNIQUE("run","step","sample_id"),
	CONSTRAINT "groups_state" CHECK ("groups"."state" in ('reserved', 'drawn', 'kept', 'dropped')),
	CONSTRAINT "groups_drop_reason" CHECK ("groups"."drop_reason" in ('zero-variance')),
	CONSTRAINT "groups_drawn_category" CHECK ("groups"."drawn_category" in ('new', 'easy', 'hard-live', 'hard-dead', 'plateau', 'active'))
);
--> statement-breakpoint
CREATE TABLE "rollout_shards" (
	"run" text NOT NULL,
	"step" integer NOT NULL,
	"round" integer NOT NULL,
	"shard" integer NOT NULL,
	"artifact_sha256" text NOT NULL,
	"artifact_bytes" bigint NOT NULL,
	"completions" integer NOT NULL,
	"generated_tokens" bigint NOT NULL,
	"generation_seconds" double precision NOT NULL,
	"committed_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "rollout_shards_run_step_round_shard_pk" PRIMARY KEY("run","step","round","shard")
);
--> statement-breakpoint
CREATE TABLE "rollouts" (
	"run" text NOT NULL,
	"step" integer NOT NULL,
	"rank" integer NOT NULL,
	"index" integer NOT NULL,
	"sample_id" text NOT NULL,
	"round" integer NOT NULL,
	"shard" integer NOT NULL,
	"completion" text NOT NULL,
	"prompt_tokens" integer NOT NULL,
	"completion_tokens" integer NOT NULL,
	"finish_reason" text NOT NULL,
	"curriculum_version" integer,
	"score_format" double precision,
	"score_name" double precision,
	"score_key" double precision,
	"score_value" double precision,
	"reward" double precision,
	"weighted_reward" double precision,
	"exact_match" boolean,
	"parseable" boolean,
	"format_successes" integer,
	"format_trials" integer,
	"name_successes" integer,
	"name_trials" integer,
	"key_successes" integer,
	"key_trials" integer,
	"value_successes" integer,
	"value_trials" integer,
	"advantage" double precision,
	CONSTRAINT "rollouts_run_step_rank_index_pk" PRIMARY KEY("run","step","rank","index"),
	CONSTRAINT "rollouts_finish_reason" CHECK ("rollouts"."finish_reason" in ('stop', 'length'))
);
--> statement-breakpoint
CREATE TABLE "events" (
	"run" text NOT NULL,
	"event" text NOT NULL,
	"kind" text NOT NULL,
	"step" integer,
	"message" text NOT NULL,
	"details" json,
	"happened_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "events_run_event_pk" PRIMARY KEY("run","event")
);
--> statement-breakpoint
CREATE TABLE "run_splits" (
	"run" text NOT NULL,
	"split" text NOT NULL,
	"ordinal" integer NOT NULL,
	"corpus" text NOT NULL,
	CONSTRAINT "run_splits_run_split_pk" PRIMARY KEY("run","split")
);
--> statement-breakpoint
CREATE TABLE "runs" (
	"run" text PRIMARY KEY NOT NULL,
	"state" text NOT NULL,
	"reason" text,
	"policy" text NOT NULL,
	"sampler" text NOT NULL,
	"curriculum" text NOT NULL,
	"config" json NOT NULL,
	"config_sha256" text NOT NULL,
	"corpus" text NOT NULL,
	"corpus_samples" integer NOT NULL,
	"rejected_rows" integer NOT NULL,
	"overlong_prompts" integer NOT NULL,
	"context_length" integer NOT NULL,
	"epochs" integer NOT NULL,
	"steps_per_epoch" integer NOT NULL,
	"total_steps" integer NOT NULL,
	"warm_start_slices" integer NOT NULL,
	"evaluate_at" integer[] NOT NULL,
	"policy_sha256" text,
	"policy_folder" text,
	"started_at" timestamp with time zone DEFAULT now() NOT NULL,
	"finished_at" timestamp with time zone,
	CONSTRAINT "runs_state" CHECK ("runs"."state" in ('running', 'paused', 'completed', 'failed', 'stopped'))
);
--> statement-breakpoint
CREATE TABLE "epochs" (
	"run" text NOT NULL,
	"epoch" integer NOT NULL,
	"state" text NOT NULL,
	"first_step" integer NOT NULL,
	"last_step" integer NOT NULL,
	"reward" double precision,
	"exact_match" double precision,
	"frac_reward_zero_std" double precision,
	"generated_tokens" bigint,
	"started_at" timestamp with time zone DEFAULT now() NOT NULL,
	"completed_at" timestamp with time zone,
	CONSTRAINT "epochs_run_epoch_pk" PRIMARY KEY("run","epoch"),
	CONSTRAINT "epochs_state" CHECK ("epochs"."state" in ('running', 'completed'))
);
--> statement-breakpoint
CREATE TABLE "rounds" (
	"run" text NOT NULL,
	"step" integer NOT NULL,
	"round" integer NOT NULL,
	"groups" integer NOT NULL,
	"shards" integer NOT NULL,
	"reward" double precision,
	"reward_std" double precision,
	"exact_match" double precision,
	"kept" integer,
	"dropped" integer,
	"backfill_shards" integer,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"scored_at" timestamp with time zone,
	"filtered_at" timestamp with time zone,
	CONSTRAINT "rounds_run_step_round_pk" PRIMARY KEY("run","step","round")
);
--> statement-breakpoint
CREATE TABLE "steps" (
	"run" text NOT NULL,
	"step" integer NOT NULL,
	"epoch" integer NOT NULL,
	"state" text NOT NULL,
	"active" boolean NOT NULL,
	"curriculum_version" integer NOT NULL,
	"groups" integer NOT NULL,
	"kept_groups" integer,
	"rounds" integer,
	"completions" integer,
	"reward" double precision,
	"reward_std" double precision,
	"frac_reward_zero_std" double precision,
	"rewards_format_mean" double precision,
	"rewards_name_mean" double precision,
	"rewards_key_mean" double precision,
	"rewards_value_mean" double precision,
	"weighted_reward" double precision,
	"exact_match" double precision,
	"completions_mean_length" double precision,
	"completions_clipped_ratio" double precision,
	"generated_tokens" bigint,
	"loss" double precision,
	"grad_norm" double precision,
	"learning_rate" double precision,
	"entropy" double precision,
	"kl" double precision,
	"clip_ratio_low" double precision,
	"clip_ratio_high" double precision,
	"trained_tokens" bigint,
	"rollout_seconds" double precision,
	"gradient_seconds" double precision,
	"started_at" timestamp with time zone DEFAULT now() NOT NULL,
	"learned_at" timestamp with time zone,
	"committed_at" timestamp with time zone,
	CONSTRAINT "steps_run_step_pk" PRIMARY KEY("run","step"),
	CONSTRAINT "steps_state" CHECK ("steps"."state" in ('selected', 'learned', 'committed', 'skipped'))
);
--> statement-breakpoint
ALTER TABLE "samples" ADD CONSTRAINT "samples_corpus_corpora_corpus_fk" FOREIGN KEY ("corpus") REFERENCES "public"."corpora"("corpus") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "curriculum_versions" ADD CONSTRAINT "curriculum_versions_run_runs_run_fk" FOREIGN KEY ("run") REFERENCES "public"."runs"("run") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "sample_statistics" ADD CONSTRAINT "sample_statistics_run_runs_run_fk" FOREIGN KEY ("run") REFERENCES "public"."runs"("run") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "sample_statistics" ADD CONSTRAINT "sample_statistics_corpus_sample_id_samples_corpus_sample_id_fk" FOREIGN KEY ("corpus","sample_id") REFERENCES "public"."samples"("corpus","sample_id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "checkpoints" ADD CONSTRAINT "checkpoints_run_runs_run_fk" FOREIGN KEY ("run") REFERENCES "public"."runs"("run") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "evaluation_samples" ADD CONSTRAINT "evaluation_samples_run_split_run_splits_run_split_fk" FOREIGN KEY ("run","split") REFERENCES "public"."run_splits"("run","split") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "evaluation_samples" ADD CONSTRAINT "evaluation_samples_corpus_sample_id_samples_corpus_sample_id_fk" FOREIGN KEY ("corpus","sample_id") REFERENCES "public"."samples"("corpus","sample_id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "evaluations" ADD CONSTRAINT "evaluations_run_split_run_splits_run_split_fk" FOREIGN KEY ("run","split") REFERENCES "public"."run_splits"("run","split") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "groups" ADD CONSTRAINT "groups_run_step_steps_run_step_fk" FOREIGN KEY ("run","step") REFERENCES "public"."steps"("run","step") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "groups" ADD CONSTRAINT "groups_corpus_sample_id_samples_corpus_sample_id_fk" FOREIGN KEY ("corpus","sample_id") REFERENCES "public"."samples"("corpus","sample_id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "rollout_shards" ADD CONSTRAINT "rollout_shards_run_step_round_rounds_run_step_round_fk" FOREIGN KEY ("run","step","round") REFERENCES "public"."rounds"("run","step","round") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "rollouts" ADD CONSTRAINT "rollouts_run_step_rank_groups_run_step_rank_fk" FOREIGN KEY ("run","step","rank") REFERENCES "public"."groups"("run","step","rank") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "rollouts" ADD CONSTRAINT "rollouts_run_step_round_shard_rollout_shards_run_step_round_shard_fk" FOREIGN KEY ("run","step","round","shard") REFERENCES "public"."rollout_shards"("run","step","round","shard") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "events" ADD CONSTRAINT "events_run_runs_run_fk" FOREIGN KEY ("run") REFERENCES "public"."runs"("run") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "run_splits" ADD CONSTRAINT "run_splits_run_runs_run_fk" FOREIGN KEY ("run") REFERENCES "public"."runs"("run") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "run_splits" ADD CONSTRAINT "run_splits_corpus_corpora_corpus_fk" FOREIGN KEY ("corpus") REFERENCES "public"."corpora"("corpus") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "runs" ADD CONSTRAINT "runs_corpus_corpora_corpus_fk" FOREIGN KEY ("corpus") REFERENCES "public"."corpora"("corpus") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "epochs" ADD CONSTRAINT "epochs_run_runs_run_fk" FOREIGN KEY ("run") REFERENCES "public"."runs"("run") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "rounds" ADD CONSTRAINT "rounds_run_step_steps_run_step_fk" FOREIGN KEY ("run","step") REFERENCES "public"."steps"("run","step") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "steps" ADD CONSTRAINT "steps_run_epoch_epochs_run_epoch_fk" FOREIGN KEY ("run","epoch") REFERENCES "public"."epochs"("run","epoch") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE UNIQUE INDEX "samples_in_order" ON "samples" USING btree ("corpus","ordinal");--> statement-breakpoint
CREATE INDEX "groups_of_sample" ON "groups" USING btree ("run","sample_id");--> statement-breakpoint
CREATE INDEX "rollouts_of_shard" ON "rollouts" USING btree ("run","step","round","shard");--> statement-breakpoint
CREATE INDEX "runs_newest_first" ON "runs" USING btree ("started_at" DESC NULLS LAST);--> statement-breakpoint
CREATE VIEW "public"."learning_curve" AS (
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
  order by 1, 2);--> statement-breakpoint
CREATE VIEW "public"."sample_lifecycle" AS (
  select
    g.run, g.sample_id,
    (row_number() over (partition by g.run, g.sample_id order by g.step))::integer as visit,
    g.step, s.level, g.drawn_category, g.drawn_importance,
    g.reward, g.reward_std, g.exact_match, g.state, g.drop_reason
  from groups g join samples s on s.corpus = g.corpus and s.sample_id = g.sample_id
  where g.round is not null
  order by g.run, g.sample_id, g.step);--> statement-breakpoint
CREATE VIEW "public"."subtask_mastery" AS (
  select c.run, c.version as step, t.subtask, t.mastery, t.weight
  from curriculum_versions c
  cross join lateral (values
    (1, 'format', c.mastery_format, c.weight_format),
    (2, 'name', c.mastery_name, c.weight_name),
    (3, 'key', c.mastery_key, c.weight_key),
    (4, 'value', c.mastery_value, c.weight_value)
  ) t (place, subtask, mastery, weight)
  order by c.run, c.version, t.place);
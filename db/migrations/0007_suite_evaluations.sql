CREATE TABLE "suite_answers" (
	"evaluation" text NOT NULL,
	"part" text NOT NULL,
	"ordinal" integer NOT NULL,
	"completion" text NOT NULL,
	"prompt_tokens" integer NOT NULL,
	"completion_tokens" integer NOT NULL,
	"correct" boolean NOT NULL,
	"error_type" text,
	"errors" json NOT NULL,
	"reward" double precision,
	"score_format" double precision,
	"score_name" double precision,
	"score_key" double precision,
	"score_value" double precision,
	CONSTRAINT "suite_answers_evaluation_part_ordinal_pk" PRIMARY KEY("evaluation","part","ordinal")
);
--> statement-breakpoint
CREATE TABLE "suite_evaluations" (
	"evaluation" text PRIMARY KEY NOT NULL,
	"state" text NOT NULL,
	"reason" text,
	"suite" text NOT NULL,
	"policy" text NOT NULL,
	"run" text,
	"step" integer,
	"asked" json NOT NULL,
	"base_sha256" text NOT NULL,
	"base_bytes" bigint NOT NULL,
	"weights_sha256" text,
	"weights_bytes" bigint,
	"trainable" json NOT NULL,
	"bad_rows" integer NOT NULL,
	"folder" text,
	"started_at" timestamp with time zone DEFAULT now() NOT NULL,
	"finished_at" timestamp with time zone,
	CONSTRAINT "suite_evaluations_state" CHECK ("suite_evaluations"."state" in ('running', 'completed', 'failed', 'stopped')),
	CONSTRAINT "suite_evaluations_suite" CHECK ("suite_evaluations"."suite" in ('bfcl', 'samples'))
);
--> statement-breakpoint
CREATE TABLE "suite_questions" (
	"evaluation" text NOT NULL,
	"part" text NOT NULL,
	"ordinal" integer NOT NULL,
	"question_id" text NOT NULL,
	"question" json NOT NULL,
	"answer" text,
	CONSTRAINT "suite_questions_evaluation_part_ordinal_pk" PRIMARY KEY("evaluation","part","ordinal")
);
--> statement-breakpoint
CREATE TABLE "suite_shards" (
	"evaluation" text NOT NULL,
	"part" text NOT NULL,
	"shard" integer NOT NULL,
	"answered" integer NOT NULL,
	"correct" integer NOT NULL,
	"completion_tokens" bigint NOT NULL,
	"shard_seconds" double precision NOT NULL,
	"committed_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "suite_shards_evaluation_part_shard_pk" PRIMARY KEY("evaluation","part","shard")
);
--> statement-breakpoint
ALTER TABLE "suite_answers" ADD CONSTRAINT "suite_answers_evaluation_part_ordinal_suite_questions_evaluation_part_ordinal_fk" FOREIGN KEY ("evaluation","part","ordinal") REFERENCES "public"."suite_questions"("evaluation","part","ordinal") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "suite_questions" ADD CONSTRAINT "suite_questions_evaluation_suite_evaluations_evaluation_fk" FOREIGN KEY ("evaluation") REFERENCES "public"."suite_evaluations"("evaluation") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "suite_shards" ADD CONSTRAINT "suite_shards_evaluation_suite_evaluations_evaluation_fk" FOREIGN KEY ("evaluation") REFERENCES "public"."suite_evaluations"("evaluation") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "suite_evaluations_of_run" ON "suite_evaluations" USING btree ("run","step");
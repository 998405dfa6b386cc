CREATE TABLE "experiment_runs" (
	"experiment" text NOT NULL,
	"run" text NOT NULL,
	"ordinal" integer NOT NULL,
	"arm" text NOT NULL,
	"seed" integer NOT NULL,
	"settings" json NOT NULL,
	CONSTRAINT "experiment_runs_experiment_run_pk" PRIMARY KEY("experiment","run"),
	CONSTRAINT "experiment_runs_arm_seed" UNIQUE("experiment","arm","seed")
);
--> statement-breakpoint
CREATE TABLE "experiments" (
	"experiment" text PRIMARY KEY NOT NULL,
	"state" text NOT NULL,
	"reason" text,
	"protocol" text NOT NULL,
	"tokens" bigint NOT NULL,
	"baseline" text NOT NULL,
	"asked" json NOT NULL,
	"started_at" timestamp with time zone DEFAULT now() NOT NULL,
	"finished_at" timestamp with time zone,
	CONSTRAINT "experiments_state" CHECK ("experiments"."state" in ('running', 'completed', 'failed', 'stopped')),
	CONSTRAINT "experiments_protocol" CHECK ("experiments"."protocol" in ('fixed-prompts', 'fixed-batch'))
);
--> statement-breakpoint
ALTER TABLE "experiment_runs" ADD CONSTRAINT "experiment_runs_experiment_experiments_experiment_fk" FOREIGN KEY ("experiment") REFERENCES "public"."experiments"("experiment") ON DELETE no action ON UPDATE no action;
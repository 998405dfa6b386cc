CREATE TABLE "importance_sums" (
	"run" text NOT NULL,
	"level" integer NOT NULL,
	"node" integer NOT NULL,
	"visited" integer NOT NULL,
	"importance" double precision NOT NULL,
	"highest" double precision NOT NULL,
	"last_step" integer NOT NULL,
	"kept" double precision NOT NULL,
	"kept_importance" double precision NOT NULL,
	"half_life" double precision,
	CONSTRAINT "importance_sums_run_level_node_pk" PRIMARY KEY("run","level","node")
);
--> statement-breakpoint
ALTER TABLE "sample_statistics" ADD COLUMN "ordinal" integer;--> statement-breakpoint
ALTER TABLE "runs" ADD COLUMN "selection" text DEFAULT 'scan' NOT NULL;--> statement-breakpoint
ALTER TABLE "importance_sums" ADD CONSTRAINT "importance_sums_run_runs_run_fk" FOREIGN KEY ("run") REFERENCES "public"."runs"("run") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE UNIQUE INDEX "sample_statistics_in_order" ON "sample_statistics" USING btree ("run","ordinal") WHERE ordinal is not null;--> statement-breakpoint
ALTER TABLE "runs" ADD CONSTRAINT "runs_selection" CHECK ("runs"."selection" in ('scan', 'sums'));
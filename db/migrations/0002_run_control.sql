CREATE TABLE "setting_changes" (
	"run" text NOT NULL,
	"ordinal" integer NOT NULL,
	"key" text NOT NULL,
	"value_before" json NOT NULL,
	"value" json NOT NULL,
	"from_step" integer NOT NULL,
	"event" text NOT NULL,
	"changed_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "setting_changes_run_ordinal_pk" PRIMARY KEY("run","ordinal")
);
--> statement-breakpoint
ALTER TABLE "runs" ADD COLUMN "requested" text;--> statement-breakpoint
ALTER TABLE "runs" ADD COLUMN "policy_step" integer;--> statement-breakpoint
ALTER TABLE "setting_changes" ADD CONSTRAINT "setting_changes_run_event_events_run_event_fk" FOREIGN KEY ("run","event") REFERENCES "public"."events"("run","event") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "runs" ADD CONSTRAINT "runs_requested" CHECK ("runs"."requested" in ('pause', 'stop', 'cancel'));
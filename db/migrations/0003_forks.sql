ALTER TABLE "runs" ADD COLUMN "fork_of" text;--> statement-breakpoint
ALTER TABLE "runs" ADD COLUMN "fork_step" integer;
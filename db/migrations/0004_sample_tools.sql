ALTER TABLE "samples" ADD COLUMN "source_turn" integer;--> statement-breakpoint
ALTER TABLE "samples" ADD COLUMN "tools" json;
CREATE TABLE "gradient_shards" (
	"run" text NOT NULL,
	"step" integer NOT NULL,
	"shard" integer NOT NULL,
	"shards" integer NOT NULL,
	"plan" text NOT NULL,
	"micro_batches" integer NOT NULL,
	"artifact_sha256" text,
	"artifact_bytes" bigint,
	"tokens" bigint NOT NULL,
	"seconds" double precision NOT NULL,
	"committed_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "gradient_shards_run_step_shard_pk" PRIMARY KEY("run","step","shard")
);
--> statement-breakpoint
ALTER TABLE "gradient_shards" ADD CONSTRAINT "gradient_shards_run_step_steps_run_step_fk" FOREIGN KEY ("run","step") REFERENCES "public"."steps"("run","step") ON DELETE no action ON UPDATE no action;
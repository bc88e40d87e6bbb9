/** What each route of the API does, in terms of the controller's parts. Thin: every answer is made elsewhere. */
import { ApiFailure, type ProbeEvent, type ProbeResultView } from "@bulkhead/api";
import { compareDiagnostics, countEntries, type Flow } from "@bulkhead/model";
import { endsFit, flowFits, flowPages } from "@bulkhead/store";
import { reportedReadiness, runPolicyTests } from "@bulkhead/workbench";
import type { Handlers } from "./api/app.ts";
import type { AgentSession } from "./link/agent-session.ts";
import type { UnitFacts } from "@bulkhead/wire";
import type { Controller } from "./controller.ts";
import { filterOf } from "./flows/flow-filter.ts";
import { planProbes } from "./probes/probe-plan.ts";
import { runProbes } from "./probes/probe-run.ts";
import { withAllowingRule } from "./queries/allowing-rule.ts";
import { reportFalseDeny } from "./queries/false-deny.ts";
import { assessment } from "./queries/assessment.ts";
import { explainFlow } from "./queries/explain.ts";
import { givenBy } from "./policy/change.ts";
import { domainSetsOf } from "./policy/domain-sets.ts";
import { canaryView } from "./policy/rollout.ts";
import { textsInForce } from "./queries/in-force.ts";
import { permittedDiff } from "./queries/permitted.ts";
import { listPolicies } from "./queries/policies.ts";
import { createAgeBook, termsOf } from "./queries/policy-terms.ts";
import { bornAt, firstSeenByUs, usageOf } from "./queries/unused.ts";
import { createBroadAside } from "./queries/broad-aside.ts";
import { aboutNobody } from "./policy/about-nobody.ts";
import { unopenedBy } from "./queries/unopened.ts";
import { replayAnswer, sampleFilter } from "./queries/replay.ts";
import { suggestion } from "./queries/suggestion.ts";
import { driftView } from "./queries/status.ts";
import { whyDenied } from "./queries/why.ts";
import { knownNow } from "./queries/known-now.ts";
import { listWorkloads } from "./queries/workloads.ts";
import { historyOf, revisionDetail } from "./queries/history.ts";
import { testIndex } from "./policy/test-index.ts";

const NO_PROBES = { probes: false } as const;

/** What is in force, and how often each rule was hit. */
export function policiesOf({ governor, distributor, session }: Controller) {
  const { revision, reading, held } = governor.inForce;
  const { result } = distributor.wanted ?? distributor.compile({ revision, set: reading.set });
  return listPolicies({
    revision,
    held: held.map(({ stored }) => stored),
    cookies: result.cookies,
    session: session(),
  });
}

export function handlersOf(controller: Controller): Handlers {
  const { state, flows, intake, governor, distributor, measures, now } = controller;
  const agesAt = createAgeBook(state);
  const broadAside = createBroadAside();

  /** Everything on record in a span of time, own probes left out. */
  const recordedIn = (since: number | undefined, until: number | undefined) => ({
    ...NO_PROBES,
    ...(since === undefined ? {} : { since }),
    ...(until === undefined ? {} : { until }),
  });

  async function edgesIn(since: number | undefined, until: number | undefined) {
    await intake.flush();
    return flows.edges(recordedIn(since, until));
  }

  async function historiesIn(since: number | undefined, until: number | undefined) {
    await intake.flush();
    return flows.histories(recordedIn(since, until));
  }

  async function replayed(request: Parameters<Handlers["replay"]>[0]) {
    const considered = await governor.consider(request);
    const world = controller.worldUnder(considered.reading);
    await intake.flush();
    const replay = await replayAnswer({
      edges: flows.edgeParts(recordedIn(request.since, request.until)),
      samples: (edge) => flows.flows(sampleFilter(edge, request)),
      before: governor.inForce.reading.set,
      after: considered.reading.set,
      was: controller.world(),
      world,
      now: now(),
      revision: governor.inForce.revision,
      diagnostics: considered.diagnostics,
      ...(request.since === undefined ? {} : { since: request.since }),
      ...(request.until === undefined ? {} : { until: request.until }),
    });
    return { considered, world, replay };
  }

  function inForceSince() {
    const { record, reading } = governor.inForce;
    const { index } = controller.world();
    const since = record?.time ?? now();
    return { set: reading.set, index, since, held: controller.heldSince(), now: now() };
  }

  async function broadSince(since: number) {
    const { subjects } = await controller.readiness.assess("group");
    const { held } = governor.inForce;
    const hashes = [...new Set(held.map(({ stored }) => stored.fileHash))];
    const texts = await Promise.all(
      hashes.map(async (hash) => [hash, (await state.fileText(hash)) ?? ""] as const),
    );
    await intake.flush();
    return broadAside({
      held,
      texts: new Map(texts),
      inventory: controller.world().inventory,
      edges: () => flows.edgeParts(recordedIn(undefined, undefined)),
      recent: () => flows.edgeParts(recordedIn(since, undefined)),
      born: bornAt(await state.revisions()),
      readiness: subjects,
      since,
      days: (await flows.watch(since)).filter(({ hours }) => hours !== 0).length,
      now: now(),
    });
  }

  /** What enforcing would end is more than the new connections that were recorded. */
  async function audited(query: Parameters<Handlers["edges"]>[0]) {
    if (query.verdict?.includes("audit") !== true || query.until !== undefined) return {};
    const { reading } = governor.inForce;
    const underWay = await controller.underWay({
      reading,
      world: controller.world(),
      mode: "audit",
    });
    if (underWay === undefined) return {};
    const filter = filterOf(query);
    return { underWay: underWay.filter((one) => endsFit(filter, one)) };
  }

  return {
    status: () => controller.status(),

    async workloads({ running }) {
      const [seen, facts] = await Promise.all([
        controller.seen(),
        running === "true" ? factsFrom(controller.session()) : [],
      ]);
      return listWorkloads(controller.world(), governor.inForce, controller.modes(), seen, facts);
    },

    async *flows({ follow, ...query }, signal) {
      const filter = filterOf(query);
      if (follow && query.first > 0) {
        throw new ApiFailure("bad-request", "following has no place for the oldest flows only", {
          help: "give `limit`: the newest so many, and then those that come",
        });
      }
      await intake.flush();
      const coming = follow ? intake.follow(signal) : undefined;
      // Registers as a follower before the store is asked, so that nothing falls between the two.
      const next = coming?.next();
      const ruled = (flow: Flow): Flow => withAllowingRule(flow, flow.start, inForceSince());
      if (query.limit > 0 || query.first > 0) yield* (await flows.flows(filter)).map(ruled);
      else for await (const page of flowPages(flows, filter)) yield* page.map(ruled);
      if (coming === undefined || next === undefined) return;
      for (let result = await next; result.done !== true; result = await coming.next()) {
        if (flowFits(filter, result.value)) yield ruled(result.value);
      }
    },

    exportFlows: ({ what, ...query }, _, access) =>
      controller.exporter.parquet(filterOf(query), what, access),

    importFlows: (request) => controller.importer.take(request),

    async edges(query) {
      await intake.flush();
      const recorded = await flows.edges(filterOf(query));
      const found = knownNow(recorded, controller.world().inventory);
      const inForce = inForceSince();
      const edges = found.map((edge) => withAllowingRule(edge, edge.lastSeen, inForce));
      return { edges, ...(await audited(query)) };
    },

    async suggest(request) {
      const found = await suggestion(request, {
        historiesIn,
        inventory: () => controller.world().inventory,
        domainSets: () => domainSetsOf(governor.inForce.held),
        accepted: () => controller.doubts.accepted(),
        rejected: () => controller.doubts.rejected(),
      });
      const { subjects } = await controller.readiness.assess("application");
      return { ...found, readiness: reportedReadiness(subjects) };
    },

    readiness: ({ level }) => controller.readiness.assess(level),

    answerDoubts: async (request) => ({
      answered: [...(await controller.readiness.answer(request))],
    }),

    assess: async () =>
      assessment(controller, await edgesIn(undefined, undefined), await controller.status()),

    replay: async (request) => (await replayed(request)).replay,

    async plan(request) {
      const { considered, world, replay } = await replayed(request);
      const { set, tests } = considered.reading;
      const whole = { ...set, canary: undefined };
      const compiled = distributor.compile({ revision: governor.inForce.revision + 1, set }, world);
      const { classes, rows, overlayEntries } = compiled.result.capacity;
      const entries = countEntries(compiled.result.policy);
      const limit = controller.session()?.capacity ?? 0;
      const { reading, held } = considered;
      const underWay = await controller.underWay({ reading, world, mode: request.mode });
      const unopened = unopenedBy(held, givenBy(considered), world, now());
      const notices = aboutNobody(set, world);
      return {
        ...(unopened.length === 0 ? {} : { unopened }),
        ...(notices.length === 0 ? {} : { notices: [...notices] }),
        ...(underWay === undefined ? {} : { underWay }),
        revision: governor.inForce.revision,
        ...canaryView(governor.inForce.held),
        resources: {
          added: [...considered.changes.added],
          changed: [...considered.changes.changed],
          removed: [...considered.changes.removed],
          unchanged: [...considered.changes.unchanged],
          kept: [...considered.changes.kept],
        },
        permitted: permittedDiff(
          governor.inForce.reading,
          reading,
          { was: controller.world(), world },
          now(),
        ),
        replay,
        capacity: {
          classes,
          rows,
          entries,
          overlay: overlayEntries,
          limit,
          fits: limit === 0 || entries <= limit,
        },
        tests: runPolicyTests(tests, whole, testIndex(world), now()).map((test) => ({ ...test })),
        diagnostics: [...considered.diagnostics, ...compiled.result.diagnostics].toSorted(
          compareDiagnostics,
        ),
      };
    },

    apply: (request) => governor.apply(request),
    delete: (request) => governor.delete(request),
    label: (request) => governor.label(request),
    async policies({ since, broad }) {
      const { revision, held } = governor.inForce;
      const ages = await agesAt(revision);
      const terms = new Map(held.map((one) => [one.stored.key, termsOf(one, ages)]));
      const counted = await policiesOf(controller);
      const policies = counted.policies.map((one) => ({ ...one, ...terms.get(one.name) }));
      const answer = { ...counted, policies };
      if (broad !== undefined) return { ...answer, broad: await broadSince(broad) };
      if (since === undefined) return answer;
      const [edges, earlier, revisions] = await Promise.all([
        edgesIn(since, undefined),
        edgesIn(undefined, since),
        state.revisions(),
      ]);
      const oldest = firstSeenByUs([...earlier, ...edges]);
      const { set } = governor.inForce.reading;
      const { index } = controller.world();
      const usage = { set, index, edges, revisions, since, oldest, now: now() };
      return { ...answer, usage: await usageOf(usage) };
    },
    resources: async () => ({
      revision: governor.inForce.revision,
      resources: governor.inForce.held.map(({ stored: { key, mode, fileName } }) => ({
        name: key,
        mode,
        file: fileName,
      })),
    }),
    inForce: () => textsInForce(state, governor.inForce),
    confirm: async () => ({ revision: await governor.confirm() }),
    rollback: (request) => governor.rollback(request),
    history: () => historyOf(state),
    revision: ({ revision }) => revisionDetail(state, revision),

    explain: (query) =>
      explainFlow(query, {
        inForce: governor.inForce,
        world: controller.world(),
        modes: controller.modes(),
        now: now(),
        edges: (from, to, protocol, port) =>
          flows.edges({
            ...NO_PROBES,
            from: [from],
            to: [to],
            ports: [{ protocol, first: port, last: port }],
          }),
      }),

    why: (query) =>
      whyDenied(query, {
        inForce: governor.inForce,
        world: controller.world(),
        modes: controller.modes(),
        now: now(),
        async flows(filter) {
          await intake.flush();
          return flows.flows({ ...NO_PROBES, ...filter });
        },
        edges: (filter) => flows.edges({ ...NO_PROBES, ...filter }),
        revisions: () => state.revisions(),
      }),

    async *probe({ workloads, maxBoundaries }, signal) {
      const session = controller.requireSession();
      const outside = await flows.edges({
        probes: false,
        to: ["world", ...governor.inForce.reading.networkSets.map(({ name }) => name)],
      });
      const plan = planProbes({
        set: governor.inForce.reading.set,
        world: controller.world(),
        seen: outside
          .filter((edge) => edge.established > 0)
          .slice(-MAX_OUTSIDE)
          .map(({ destination, protocol, port }) => ({
            address: destination.address,
            protocol,
            port,
          })),
        now: now(),
        ...(workloads === undefined ? {} : { workloads }),
        ...(maxBoundaries === undefined ? {} : { maxBoundaries }),
      });
      const results: ProbeResultView[] = [];
      for await (const event of runProbes(plan, session, {
        revision: governor.inForce.revision,
        now,
        signal,
      })) {
        if (event.type === "result") results.push(event.result);
        if (event.type === "summary")
          await state.saveProbeRun({ time: now(), summary: event.summary, results });
        yield event satisfies ProbeEvent;
      }
    },

    async drift() {
      const { reports } = await state.drifts(100);
      return { setting: controller.driftSetting(), reports: reports.map(driftView) };
    },

    slo: ({ since }) => measures.slo(since),

    falseDeny: (request) => reportFalseDeny(request, { flows, intake, measures, now }),

    async latency(found) {
      await measures.saveLatency(found);
      return found;
    },

    async settings({ drift, readConfiguration, retention }) {
      if (drift !== undefined) await controller.setDrift(drift);
      if (readConfiguration !== undefined) await controller.setReadConfiguration(readConfiguration);
      if (retention !== undefined) await controller.setRetention(retention);
      return {
        drift: controller.driftSetting(),
        readConfiguration: [...controller.readConfiguration()],
        retention: controller.retention(),
      };
    },

    async ruleset() {
      const compiled =
        distributor.wanted ??
        distributor.compile({
          revision: governor.inForce.revision,
          set: governor.inForce.reading.set,
        });
      return {
        revision: compiled.intent.revision,
        digest: compiled.digest,
        ruleset: await controller.render(compiled),
      };
    },
  };
}

const FACTS_TIMEOUT_MS = 3000;

/** Nothing is lost without them. */
async function factsFrom(session: AgentSession | undefined): Promise<readonly UnitFacts[]> {
  try {
    return (await session?.units(FACTS_TIMEOUT_MS))?.units ?? [];
  } catch (error) {
    if (error instanceof ApiFailure) return [];
    throw error;
  }
}

/** Outside addresses are somebody else's: a few are enough to see whether the way out is shut. */
const MAX_OUTSIDE = 8;

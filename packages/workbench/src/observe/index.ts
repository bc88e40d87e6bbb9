/** What was observed, for people and for other tools: who talks most, the service map, and flows in Hubble's words. */
export { createFlowFold, everybodyIn, type FlowFold, type ImportedFlows } from "./flow-fold.ts";
export {
  hubbleFlow,
  type HubbleEndpoint,
  type HubbleFlow,
  type HubbleLayer4,
  type HubblePolicy,
  type HubbleResponse,
} from "./hubble-flow.ts";
export { mapSvg } from "./map-svg.ts";
export { mapDot, mapMermaid } from "./map-text-graphs.ts";
export { labelOf, membersText, portsText } from "./map-words.ts";
export { type Outcome } from "./outcome.ts";
export {
  APPLICATION_LABELS,
  serviceMap,
  type MapArrow,
  type MapNode,
  type MapPort,
  type ServiceMap,
} from "./service-map.ts";
export { RANKS, topTalkers, type Rank, type Talker, type TalkersAnswer } from "./talkers.ts";

import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { runningContainers, runtimeSockets, watchContainers } from "../../src/discovery/docker.ts";
import { startFakeDocker, type FakeDocker } from "./docker-api.ts";

let docker: FakeDocker;
beforeEach(async () => {
  docker = await startFakeDocker();
});
afterEach(() => docker.close());

const web = {
  id: "aaaa",
  name: "web",
  image: "nginx:1",
  labels: { app: "web" },
  pid: 100,
  created: "2026-01-02T00:00:00Z",
};
const db = {
  id: "bbbb",
  name: "db",
  image: "postgres",
  labels: {},
  pid: 200,
  created: "2026-01-01T00:00:00Z",
};

test("running containers come with name, image, labels and process, oldest first", async () => {
  docker.containers = [web, db];
  expect(await runningContainers(docker.socket)).toEqual([
    { ...db, created: Date.parse(db.created) },
    { ...web, created: Date.parse(web.created) },
  ]);
});

test("one that vanishes between list and inspection, or has no process, is left out", async () => {
  docker.containers = [web, { ...db, pid: 0 }];
  docker.vanished.add(web.id);
  expect(await runningContainers(docker.socket)).toEqual([]);
});

test("no runtime is no error", async () => {
  expect(await runningContainers("/nonexistent/docker.sock")).toBeNull();
});

test.each([
  [{ status: 500, body: "{}" }, "answered 500"],
  [{ status: 200, body: "{" }, "JSON"],
  [{ status: 200, body: "{}" }, "no list"],
])("a runtime that answers %j is an error", async (answer, message) => {
  docker.answer = answer;
  await expect(runningContainers(docker.socket)).rejects.toThrow(message);
});

test("labels that are no text are left out", async () => {
  docker.containers = [{ ...web, labels: { a: "1", b: 2 } as never }];
  expect((await runningContainers(docker.socket))?.[0]?.labels).toEqual({ a: "1" });
});

test("what only holds a pod open comes last, however old it is", async () => {
  const keeper = { ...db, name: "e71364c66bcd-infra" };
  docker.containers = [keeper, web];
  const found = await runningContainers(docker.socket);
  expect(found?.map(({ name }) => name)).toEqual(["web", "e71364c66bcd-infra"]);
});

describe("the sockets to ask", () => {
  const DOCKER = "/var/run/docker.sock";
  const PODMAN = "/run/podman/podman.sock";
  test.each<[Record<string, string>, string[]]>([
    [{}, [DOCKER, PODMAN]],
    [{ DOCKER_HOST: "", CONTAINER_HOST: "" }, [DOCKER, PODMAN]],
    [{ DOCKER_HOST: "unix:///run/user/1/docker.sock" }, ["/run/user/1/docker.sock", PODMAN]],
    [{ CONTAINER_HOST: "unix:///srv/podman.sock" }, [DOCKER, "/srv/podman.sock"]],
    // Docker's tools pointed at Podman: it is asked once.
    [{ DOCKER_HOST: `unix://${PODMAN}` }, [PODMAN]],
    // Containers elsewhere are not attached here.
    [{ DOCKER_HOST: "tcp://10.0.0.1:2375" }, [PODMAN]],
    [{ DOCKER_HOST: "ssh://far", CONTAINER_HOST: "ssh://far" }, []],
  ])("with %j are %j", (environment, sockets) => {
    expect(runtimeSockets(environment)).toEqual(sockets);
  });
});

describe("events", () => {
  test("each is told; the end is told once", async () => {
    let ends = 0;
    const changed = await new Promise<string>((resolve) => {
      watchContainers(
        docker.socket,
        () => resolve("changed"),
        () => ends++,
      );
      const send = setInterval(() => {
        if (docker.listeners === 0) return;
        clearInterval(send);
        docker.event();
      }, 5);
    });
    expect(changed).toBe("changed");
    await docker.close();
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(ends).toBe(1);
    docker = await startFakeDocker();
  });

  test("a runtime that is not there is an end", async () => {
    const ended = await new Promise<string>((resolve) => {
      watchContainers(
        "/nonexistent/docker.sock",
        () => resolve("changed"),
        () => resolve("ended"),
      );
    });
    expect(ended).toBe("ended");
  });
});

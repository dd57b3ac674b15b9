#include "base/durable.h"
#include "base/error.h"
#include "machine.h"
#include "reconciler/apply.h"
#include "reconciler/files.h"
#include "reconciler/labels.h"
#include "reconciler/load_projects.h"
#include "reconciler/privileges.h"
#include "reconciler/render.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <functional>

using namespace kedge;
using namespace kedge::reconciler;
using kedge::reconciler::test::service;
using kedge::reconciler::test::target;

namespace {

std::string refusal(const sources::Service& s, const Policy& policy = {},
                    const std::map<std::string, sources::Volume>& volumes = {}) {
    sources::Project project;
    project.services[s.name] = s;
    project.volumes = volumes;
    try {
        check_privileges(project, {"/srv/tree"}, policy);
        return {};
    } catch (const Error& e) {
        EXPECT_EQ(e.code(), Code::permission_denied);
        EXPECT_FALSE(e.transient());
        return e.what();
    }
}

sources::VolumeMount bind(const std::string& source) {
    return {"bind", source, "/x", false, false, false, "", 0, 01777, ""};
}

ObservedContainer container(runtime::Status status, runtime::Health::Status health, bool probed) {
    ObservedContainer c;
    c.service = "db";
    c.info.name = "shop-db-1";
    c.info.status = status;
    c.info.health.status = health;
    if (probed) c.info.healthcheck = runtime::Healthcheck{{"CMD", "true"}, {}, {}, {}, {}, 0};
    return c;
}

}  // namespace

TEST(Privileges, BindsAreAllowedInTheTreeAndWhereThePolicySays) {
    sources::Service s = service("web");
    for (const char* path : {"/srv/tree", "/srv/tree/conf", "/srv/tree/../tree/conf"}) {
        s.volumes = {bind(path)};
        EXPECT_EQ(refusal(s), "") << path;
    }
    for (const char* path : {"/", "/srv", "/srv/treehouse", "/srv/tree/../other", "/var/run/docker.sock"}) {
        s.volumes = {bind(path)};
        EXPECT_NE(refusal(s), "") << path;
    }
    Policy policy;
    policy.allowed_binds = {"/media/"};
    s.volumes = {bind("/media/disk")};
    EXPECT_EQ(refusal(s, policy), "");
    s.volumes = {bind("/mediation")};
    EXPECT_NE(refusal(s, policy), "");
    policy.allowed_binds = {"/"};
    EXPECT_EQ(refusal(s, policy), "");
}

TEST(Privileges, ABindInTheClothesOfAVolumeIsRefused) {
    sources::Volume volume;
    volume.driver_opts = {{"type", "none"}, {"o", "bind"}, {"device", "/etc"}};
    auto refused = [&](const Policy& policy = {}) { return refusal(service("web"), policy, {{"data", volume}}); };
    EXPECT_NE(refused().find("volumes.data.driver_opts.device"), std::string::npos);
    Policy media;
    media.allowed_binds = {"/media"};
    volume.driver_opts["device"] = "/media/x";
    EXPECT_EQ(refused(media), "");
    volume.driver_opts["type"] = "tmpfs";
    volume.driver_opts["device"] = "/etc";
    EXPECT_NE(refused(media), "") << "with bind the type says nothing";
    volume.driver_opts["o"] = "size=1m";
    EXPECT_EQ(refused(), "");
    // What a device may be, other words of the mount say as well.
    volume.driver_opts = {{"type", "overlay"}, {"device", "/media/x"}, {"o", "lowerdir=/etc:/media/x"}};
    EXPECT_NE(refused(media).find("volumes.data.driver_opts.type"), std::string::npos);
    media.allow_privileged = true;
    EXPECT_EQ(refused(media), "");
}

TEST(Privileges, WhatIsAsGoodAsTheHostsRootNeedsThePolicysWord) {
    std::vector<std::function<void(sources::Service&)>> asks = {
        [](auto& s) { s.privileged = true; },
        [](auto& s) { s.network_mode = "host"; },
        [](auto& s) { s.network_mode = "container:x"; },
        [](auto& s) { s.cap_add = {"cap_sys_admin"}; },
        [](auto& s) { s.cap_add = {"ALL"}; },
        [](auto& s) { s.devices = {"/dev/sda"}; },
        [](auto& s) { s.security_opt = {"seccomp=unconfined"}; },
        [](auto& s) { s.security_opt = {"systempaths=unconfined"}; }};
    Policy generous;
    generous.allow_privileged = true;
    for (size_t i = 0; i < asks.size(); ++i) {
        sources::Service s = service("web");
        asks[i](s);
        EXPECT_NE(refusal(s), "") << i;
        EXPECT_EQ(refusal(s, generous), "") << i;
    }
    sources::Service modest = service("web");
    modest.cap_add = {"NET_BIND_SERVICE"};
    modest.security_opt = {"no-new-privileges:true"};
    EXPECT_EQ(refusal(modest), "");
}

TEST(Waiting, AConditionIsMetPendingOrHopeless) {
    using S = runtime::Status;
    using H = runtime::Health::Status;
    struct Case {
        const char* condition;
        ObservedContainer container;
        WaitState state;
    };
    ObservedContainer failed = container(S::exited, H::none, false), done = failed;
    failed.info.exit_code = 3;
    for (const Case& c : std::vector<Case>{
             {"service_healthy", container(S::running, H::healthy, true), WaitState::met},
             {"service_healthy", container(S::running, H::starting, true), WaitState::pending},
             {"service_healthy", container(S::running, H::none, true), WaitState::pending},
             {"service_healthy", container(S::running, H::unhealthy, true), WaitState::failed},
             {"service_healthy", container(S::running, H::none, false), WaitState::failed},
             {"service_healthy", container(S::restarting, H::none, true), WaitState::pending},
             {"service_healthy", failed, WaitState::failed},
             {"ready", container(S::running, H::none, false), WaitState::met},
             {"ready", container(S::running, H::starting, true), WaitState::pending},
             {"service_completed_successfully", done, WaitState::met},
             {"service_completed_successfully", failed, WaitState::failed},
             {"service_completed_successfully", container(S::running, H::none, false), WaitState::pending}}) {
        Observed observed;
        observed.containers = {c.container};
        EXPECT_EQ(check_wait(WaitFor{"db", c.condition}, observed).state, c.state)
            << c.condition << " " << to_string(c.container.info.status);
    }
    EXPECT_EQ(check_wait(WaitFor{"db", "service_healthy"}, {}).state, WaitState::met)
        << "no replica, nothing to wait for";
}

TEST(Render, NetworksAndTheirEndsAreWhatComposeSays) {
    sources::Service web = service("web");
    web.networks = {{"front", {}, "", 7}, {"back", {}, "", 5}};
    web.networks[0].mac_address = "02:42:0a:05:00:07";
    web.networks[0].interface_name = "wan0";
    web.networks[0].driver_opts = {{"com.docker.network.endpoint.sysctls", "s"}};
    Target t = target({web});
    for (const char* key : {"front", "back"}) {
        sources::Network& network = t.project.networks[key];
        network.key = key;
        network.name = std::string("shop_") + key;
    }
    std::vector<runtime::NetworkAttachment> ends = render(t, web, 1, "hash").networks;
    EXPECT_EQ(ends.at(0).mac, "02:42:0a:05:00:07");
    EXPECT_EQ(ends.at(0).options, (std::map<std::string, std::string>{{"com.docker.network.endpoint.ifname", "wan0"},
                                                                      {"com.docker.network.endpoint.sysctls", "s"}}));
    EXPECT_EQ(ends.at(0).gateway_priority, 7);
    EXPECT_EQ(ends.at(1).gateway_priority, 5);
    web.networks[1].gw_priority = 1;
    ends = render(t, web, 1, "hash").networks;
    EXPECT_EQ(ends.at(0).network, "shop_front") << "in the order of priority";
    EXPECT_EQ(ends.at(0).gateway_priority, 0);
    EXPECT_EQ(ends.at(1).gateway_priority, 1);

    sources::Network& front = t.project.networks["front"];
    const std::string hash = render_network(t, front).labels.at(kConfigHashLabel);
    auto change = [&](auto&& edit) {
        sources::Network changed = front;
        edit(changed);
        runtime::NetworkSpec spec = render_network(t, changed);
        EXPECT_NE(spec.labels.at(kConfigHashLabel), hash);
        return spec;
    };
    EXPECT_FALSE(change([](auto& n) { n.enable_ipv4 = false; }).ipv4);
    EXPECT_TRUE(change([](auto& n) { n.attachable = true; }).attachable);
    EXPECT_EQ(change([](auto& n) { n.ip_range = "10.0.0.0/24"; }).ip_range, "10.0.0.0/24");
    EXPECT_EQ(change([](auto& n) { n.ip_range6 = "fd00::/80"; }).ip_range6, "fd00::/80");
    EXPECT_EQ(change([](auto& n) { n.aux_addresses = {{"a", "10.0.0.2"}}; }).aux_addresses.at("a"), "10.0.0.2");
    EXPECT_EQ(change([](auto& n) { n.aux_addresses6 = {{"a", "fd00::2"}}; }).aux_addresses6.at("a"), "fd00::2");
}

TEST(Render, LabelsNetworksAndShortNotationsAreWhatComposeSays) {
    sources::Service web = service("web");
    web.restart = "on-failure:3";
    web.stop_grace_period = std::chrono::milliseconds(1500);
    web.tmpfs = {"/cache:size=64m,mode=700"};
    web.devices = {"/dev/a:/dev/b:r"};
    web.security_opt = {"systempaths=unconfined", "no-new-privileges"};
    web.depends_on = {{"db", "service_healthy", true, true}};
    web.ports = {{"", 8000, 8001, 80, "udp"}};
    Target t = target({web, service("db")});
    runtime::ContainerSpec spec = render(t, web, 2, "hash");
    EXPECT_EQ(spec.name, "shop-web-2");
    EXPECT_EQ(spec.image, test::image(1).str());
    EXPECT_EQ(spec.image_name, "example:1");
    EXPECT_EQ(spec.labels.at(kDependsOnLabel), "db:service_healthy:true");
    EXPECT_EQ(spec.labels.at(kConfigHashLabel), "hash");
    EXPECT_EQ(spec.labels.at(kOneoffLabel), "False");
    EXPECT_EQ(spec.networks.at(0).network, "shop_default");
    EXPECT_EQ(spec.networks.at(0).aliases, (std::vector<std::string>{"web", "shop-web-2"}));
    EXPECT_EQ(spec.restart.maximum_retries, 3);
    EXPECT_EQ(spec.stop_timeout, 2);
    EXPECT_EQ(spec.mounts.at(0).tmpfs_size, 64 << 20);
    EXPECT_EQ(spec.mounts.at(0).tmpfs_mode, 0700u);
    EXPECT_EQ(spec.devices.at(0).permissions, "r");
    EXPECT_EQ(spec.security_opt, std::vector<std::string>{"no-new-privileges"});
    EXPECT_EQ(spec.masked_paths, std::vector<std::string>{});
    EXPECT_EQ(spec.readonly_paths, std::vector<std::string>{});
    EXPECT_EQ(spec.ports.at(0), (runtime::PortBinding{"", 8001, 80, runtime::Protocol::udp}));
    EXPECT_THROW(render(t, web, 3, "hash"), Error) << "the range has no third port";
    for (const char* bad : {"sometimes", "on-failure:x", "on-failure:-1"}) {
        web.restart = bad;
        EXPECT_THROW(render(t, web, 1, "hash"), Error) << bad;
    }
}

TEST(Render, BindsOfTheRepositorysOwnAreConfinedAndThoseOfTheHostAreNot) {
    sources::Service web = service("web");
    web.volumes = {bind("/k/sources/fleet/data/shop/uploads/a"), bind("/k/sources/fleet/trees/c1/conf/nginx.conf"),
                   bind("/srv/media"), bind("/k/sources/fleet/data2/x")};
    for (size_t i = 0; i < web.volumes.size(); ++i) web.volumes[i].target = "/" + std::to_string(i);
    Target t = target({web});
    t.files = "/k/sources/fleet/files";
    t.commit = "c1";
    std::vector<runtime::Mount> mounts = render(t, web, 1, "hash").mounts;
    ASSERT_EQ(mounts.size(), 4u);
    EXPECT_EQ(mounts[0].confined_to, "/k/sources/fleet/data/shop");
    EXPECT_EQ(mounts[1].confined_to, "/k/sources/fleet/trees/c1");
    EXPECT_EQ(mounts[2].confined_to, "");
    EXPECT_EQ(mounts[3].confined_to, "");
}

TEST(Render, TheHashSeesContentAndNotTheCommit) {
    sources::Service web = service("web");
    web.volumes = {{"bind", "/trees/1/conf", "/conf", true, false, false, "", 0, 01777, "sha256:aa"}};
    web.secrets = {{"key", "/run/secrets/key", "", "", {}}};
    Target one = target({web});
    one.project.secrets["key"] = {"key", "/trees/1/key", "", "sha256:11"};
    Target two = one;
    two.commit = "2";
    two.release = 9;
    two.project.services["web"].volumes[0].source = "/trees/2/conf";
    two.project.secrets["key"].path = "/trees/2/key";
    two.project.services["web"].depends_on = {{"db", "service_started", false, true}};
    two.project.services["web"].replicas = 3;
    EXPECT_EQ(config_hashes(one), config_hashes(two));
    Target other = two;
    other.project.services["web"].volumes[0].content_digest = "sha256:bb";
    EXPECT_NE(config_hashes(one), config_hashes(other));
    other = two;
    other.project.secrets["key"].content_digest = "sha256:22";
    EXPECT_NE(config_hashes(one), config_hashes(other));
    other = two;
    other.project.services["web"].user = "nobody";
    EXPECT_NE(config_hashes(one), config_hashes(other));
}

TEST(Render, TheHashOfAServiceIsTheSameInEveryVersionOfKedge) {
    sources::Service web;
    web.name = "web";
    web.image = "example:1";
    EXPECT_EQ(sources::canonical_text(web), R"({"image":"example:1","name":"web"})")
        << "what has its default is no part of it";
    web.command = {{"serve", "--quiet"}};
    web.environment = {{"MODE", "prod"}, {"EMPTY", ""}};
    web.ports = {{"", 8080, 0, 80, "tcp"}};
    web.volumes = {{"bind", "/trees/1/conf", "/conf", true, false, false, "", 0, 01777, "sha256:aa"},
                   {"volume", "data", "/data", false, false, false, "", 0, 01777, ""}};
    web.networks = {{"default", {}, {}, 0}};
    web.healthcheck = sources::Healthcheck{{"CMD", "true"}, std::chrono::seconds(5), {}, {}, {}, 3, false};
    web.restart = "always";
    web.stop_grace_period = std::chrono::seconds(2);
    web.mem_limit = 64 << 20;
    web.secrets = {{"key", "/run/secrets/key", "", "", 0400u}};
    Target t = target({web});
    t.project.secrets["key"] = {"key", "/trees/1/key", "", "sha256:11"};
    t.project.volumes["data"] = {"data", "shop_data", false, "", {}, {}};
    // If this fails, an update of kedge replaces the containers of every device: another way of hashing needs another
    // version.
    EXPECT_EQ(config_hashes(t).at("web"), "1-4cf438820cf58aecfed0d935ba076cea3f1a67159dbcf5975fbe23200e08c0a5");
}

TEST(Repository, AFolderOfProjectsThatIsALinkIsNotFollowed) {
    std::string folder = "/tmp/kedge-test-XXXXXX";
    ASSERT_NE(::mkdtemp(folder.data()), nullptr);
    make_folders(AT_FDCWD, folder + "/tree");
    make_folders(AT_FDCWD, folder + "/elsewhere/shop");
    write_file_durably(AT_FDCWD, folder + "/elsewhere/shop/compose.yaml", "services: {web: {image: app}}");
    ASSERT_EQ(::symlink("../elsewhere", (folder + "/tree/apps").c_str()), 0);
    LoadInput input;
    input.tree = folder + "/tree";
    try {
        load_projects(input);
        ADD_FAILURE() << "what lies outside the tree was loaded";
    } catch (const Error& e) {
        EXPECT_STREQ(e.what(), "apps: is a symbolic link");
    }
    remove_tree(AT_FDCWD, folder);
}

TEST(Files, AnOwnerThatIsNoNumberOfAUserIsRefusedByName) {
    for (const char* bad : {"4294967296", "4294967295", "18446744073709551616"}) {
        sources::Service web = service("web");
        web.configs = {{"conf", "/conf", bad, "", {}}};
        Target t = target({web});
        t.files = "/tmp/kedge-test-files";
        t.project.configs["conf"] = {"conf", "", "text", ""};
        try {
            write_files(t);
            ADD_FAILURE() << bad;
        } catch (const Error& e) {
            EXPECT_EQ(e.what(), "configs.conf: \"" + std::string(bad) + "\" is not a number of a user or group");
        }
        remove_tree(AT_FDCWD, t.files);
    }
}

TEST(Repository, ItsNameIsTheLastPartOfItsUrl) {
    EXPECT_EQ(repository_name("https://example.org/team/shop.git"), "shop");
    EXPECT_EQ(repository_name("git@example.org:shop.git/"), "shop");
    EXPECT_EQ(repository_name("file:///srv/shop"), "shop");
}

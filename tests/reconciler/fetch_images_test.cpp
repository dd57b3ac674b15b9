#include "reconciler/fetch_images.h"

#include "base/error.h"
#include "machine.h"

#include <gtest/gtest.h>

using namespace kedge;
using namespace kedge::reconciler;
using kedge::reconciler::test::image;

namespace {

/// Images by full name, and a registry that has what `remote` says.
struct FakeImages : runtime::Images {
    struct Entry {
        Digest id;
        runtime::Platform platform = runtime::Platform::host();
    };
    std::map<std::string, Entry> local, remote;
    std::optional<Error> failure;  ///< of every pull
    std::vector<std::string> pulls;

    runtime::ImageInfo get(const std::string& reference) const override {
        auto found = local.find(full_name(reference));
        if (found == local.end()) throw Error(Code::not_found, "no such image: " + reference);
        runtime::ImageInfo info;
        info.id = found->second.id;
        info.platform = found->second.platform;
        return info;
    }
    runtime::ImageInfo pull(const std::string& reference, const runtime::PullOptions& options,
                            const runtime::ProgressSink&, std::stop_token) override {
        pulls.push_back(reference);
        if (failure) throw *failure;
        Entry entry = remote.at(full_name(reference));
        if (options.platform) entry.platform = *options.platform;
        local[full_name(reference)] = entry;
        return get(reference);
    }
    runtime::RemoteImage look_up(const std::string&, const std::optional<runtime::Credentials>&,
                                 std::stop_token) const override {
        return {};
    }
    runtime::ImageInfo import(int, const runtime::ImportOptions&, const runtime::ProgressSink&,
                              std::stop_token) override {
        return {};
    }
    runtime::ImageInfo add_layer(int, const runtime::ChildImage&, const std::function<void()>&,
                                 std::stop_token) override {
        return {};
    }
    std::vector<runtime::ImageInfo> load(int, const runtime::ProgressSink&, std::stop_token) override { return {}; }
    Archive save(const std::vector<std::string>&) override { return {}; }
    std::vector<runtime::ImageInfo> list() const override { return {}; }
    void tag(const std::string&, const std::string&) override {}
    std::vector<runtime::RemovedImage> remove(const std::string&, bool) override { return {}; }
    void pin(const std::string&, const std::set<Digest>&) override {}
    int64_t collect() override { return 0; }
    std::vector<std::string> layer_folders(const Digest&) const override { return {}; }
};

struct FetchImages : testing::Test {
    FakeImages images;
    sources::Project project;
    std::vector<std::string> noted;

    sources::Service& service(const std::string& name, const std::string& reference, const std::string& policy = {}) {
        sources::Service& made = project.services[name];
        made.name = name;
        made.image = reference;
        made.pull_policy = policy;
        return made;
    }
    std::map<std::string, Digest> fetch() {
        auto note = [this](const std::string& name, const Digest&, bool was_there) {
            noted.push_back(name + (was_there ? " again" : ""));
        };
        return fetch_images(images, project, note, {});
    }
};

}  // namespace

TEST_F(FetchImages, WhatIsPulledIsToldApartFromWhatWasThere) {
    images.local["docker.io/library/here:1"] = {image(1)};
    images.local["docker.io/library/moving:latest"] = {image(2)};
    images.remote["docker.io/library/moving:latest"] = {image(3)};
    images.remote["docker.io/library/new:1"] = {image(4)};
    service("a", "here:1");
    service("b", "moving", "always");
    service("c", "new:1");
    service("d", "new:1");
    EXPECT_EQ(fetch(),
              (std::map<std::string, Digest>{{"a", image(1)}, {"b", image(3)}, {"c", image(4)}, {"d", image(4)}}));
    EXPECT_EQ(noted, (std::vector<std::string>{"docker.io/library/moving:latest again", "docker.io/library/new:1"}));
    EXPECT_EQ(images.pulls.size(), 2u) << "one image, one pull";
}

TEST_F(FetchImages, AnImageOfAnotherPlatformIsNotTheOneThatIsWanted) {
    images.local["docker.io/library/app:1"] = {image(1), runtime::Platform::parse("linux/arm64/v8")};
    images.remote["docker.io/library/app:1"] = {image(2)};
    service("web", "app:1").platform = "linux/arm64";
    EXPECT_EQ(fetch().at("web"), image(1));
    project.services["web"].platform = "linux/riscv64";
    EXPECT_FALSE(local_images(images, project));
    EXPECT_EQ(fetch().at("web"), image(2));
    EXPECT_EQ(noted, std::vector<std::string>{"docker.io/library/app:1 again"});
    project.services["web"].platform = "linux/s390x";
    project.services["web"].pull_policy = "never";
    EXPECT_THROW(fetch(), Error);
}

TEST_F(FetchImages, WhatTheRegistryDoesNotHaveOrGiveYetIsWaitedForAndAnInvalidNameIsNot) {
    service("web", "app:1");
    for (Code code : {Code::not_found, Code::unauthenticated, Code::permission_denied, Code::unavailable}) {
        images.failure = Error(code, "no");
        try {
            fetch();
            ADD_FAILURE();
        } catch (const Error& e) {
            EXPECT_EQ(e.code(), code);
            EXPECT_TRUE(e.transient()) << to_string(code);
            EXPECT_STREQ(e.what(), "services.web: no");
        }
    }
    images.failure = Error(Code::invalid_argument, "invalid reference format");
    try {
        fetch();
        ADD_FAILURE();
    } catch (const Error& e) {
        EXPECT_FALSE(e.transient());
    }
}

#include "runtime/images/pull.h"

#include "base/error.h"
#include "registry_fixture.h"
#include "runtime/images/blob_store.h"
#include "runtime/images/layer_store.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <fstream>

using namespace kedge;
using namespace kedge::runtime;
using namespace kedge::runtime::test;

namespace {

/// A machine's images, and what a pull said.
struct Machine {
    TemporaryFolder folder;
    BlobStore blobs{folder.path() + "/images"};
    LayerStore layers{folder.path() + "/layers", int64_t{1} << 30};
    RegistrySettings settings;
    std::vector<Progress> said;

    Pulled pull(const std::string& name, const PullOptions& options = {}, int connections = 3) {
        said.clear();
        return pull_image(blobs, layers, settings, connections, Reference::parse(name), options, [this](const Progress& p) { said.push_back(p); }, {});
    }
    std::string file(const Digest& diff_id, const std::string& name) const {
        return read_file_at(AT_FDCWD, layers.folder(diff_id) + "/" + name);
    }
    size_t count(const std::string& status) const {
        return static_cast<size_t>(std::count_if(said.begin(), said.end(), [&](const Progress& p) { return p.status == status; }));
    }
};

}  // namespace

TEST(Pull, AnImageComesWholeFromARealRegistry) {
    RealRegistry registry;
    TestImage image = make_image({{{"etc/one", "1"}}, {{"etc/two", "2"}}, {{"etc/three", "3"}}});
    registry.push(image, "team/app:1.0");
    Machine machine;
    Pulled pulled = machine.pull(registry.host() + "/team/app:1.0");
    EXPECT_EQ(pulled.manifest, Digest::of(image.manifest));
    EXPECT_EQ(pulled.config, Digest::of(image.config));
    EXPECT_EQ(pulled.media_type, "application/vnd.oci.image.manifest.v1+json");
    EXPECT_EQ(pulled.size, static_cast<int64_t>(image.manifest.size()));
    EXPECT_TRUE(pulled.index.empty());
    EXPECT_EQ(machine.file(image.layers[0].diff_id, "etc/one"), "1");
    EXPECT_EQ(machine.file(image.layers[2].diff_id, "etc/three"), "3");
    for (const auto& layer : image.layers) EXPECT_TRUE(machine.blobs.has(Digest::of(layer.blob)));
    EXPECT_EQ(machine.count("Pull complete"), 3u);
    EXPECT_EQ(machine.said.front().status, "Pulling from team/app");
    EXPECT_EQ(machine.said.front().id, "1.0");
    EXPECT_EQ(machine.said.back().status, "Digest: " + pulled.manifest.str());
}

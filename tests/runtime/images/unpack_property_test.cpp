#include "image_fixture.h"

#include "base/error.h"
#include "runtime/images/layer_store.h"

#include <fcntl.h>
#include <rapidcheck.h>
#include <unistd.h>

using namespace kedge;
using namespace kedge::runtime;

namespace {

rc::Gen<std::string> name() {
    using rc::gen::element;
    return rc::gen::suchThat(rc::gen::nonEmpty(rc::gen::container<std::string>(element(
                                 'a', 'b', 'c', 'Z', '0', '.', '-', '_', ' ', '\\', '\n', '*', '\xc3', '\xa4'))),
                             [](const std::string& text) {
                                 return text.size() < 200 && text != "." && text != ".." && !text.starts_with(".wh.");
                             });
}

rc::Gen<Node> any_node() {
    return rc::gen::exec([] {
        Node node;
        node.type = *rc::gen::weightedElement<char>({{8, 'f'}, {6, 'd'}, {3, 'l'}, {1, 'p'}, {1, 'c'}});
        node.mode = *rc::gen::inRange(0u, 010000u);
        node.uid = *rc::gen::element(0u, 1u, 1000u, 65534u, 3000000u);
        node.gid = *rc::gen::element(0u, 1u, 1000u, 65534u, 3000000u);
        node.mtime = *rc::gen::inRange<int64_t>(0, 4'000'000'000);
        if (node.type == 'f') {
            const size_t size = *rc::gen::weightedElement<size_t>({{4, 0}, {8, 17}, {4, 512}, {2, 70000}, {1, 600000}});
            const char fill = *rc::gen::arbitrary<char>();
            node.content = std::string(size, fill);
        }
        if (node.type == 'l') {
            node.content = *name();
            node.mode = 0777;
        }
        if (node.type == 'c') {
            node.major = *rc::gen::inRange(1u, 200u);
            node.minor = *rc::gen::inRange(0u, 70000u);
        }
        if ((node.type == 'f' || node.type == 'd') && *rc::gen::inRange(0, 4) == 0) {
            node.xattrs["user." + std::string(*rc::gen::element("a", "note"))] = *rc::gen::arbitrary<std::string>();
        }
        return node;
    });
}

/// A tree as a tar lists it: folders before what is in them, each name once.
Entries any_tree() {
    std::map<std::string, Node> tree;
    std::vector<std::string> folders{""};
    const int count = *rc::gen::inRange(0, 40);
    Entries entries;
    for (int i = 0; i < count; ++i) {
        const std::string path = *rc::gen::elementOf(folders) + *name();
        const Node node = *any_node();
        if (path.size() > 2000 || !tree.emplace(path, node).second) continue;
        if (node.type == 'd') folders.push_back(path + "/");
        entries.emplace_back(path, node);
    }
    return entries;
}

struct UnpackProperty : TemporaryFolder {};

}  // namespace

TEST_F(UnpackProperty, AnyTreeComesOutOfItsArchiveAsItWas) {
    int round = 0;
    const bool holds = rc::check("round trip", [&] {
        const Entries entries = any_tree();
        const auto pack = *rc::gen::element(Pack::none, Pack::gzip, Pack::zstd);
        const std::string root = path + "/" + std::to_string(round++);
        LayerStore store(root, 1 << 30);
        const Digest expected = Digest::of(make_tar(entries));
        auto layer = store.unpack(file_with(make_tar(entries, pack)).get(), expected);
        std::map<std::string, Node> wanted;
        for (const auto& [entry, node] : entries) wanted[entry] = node;
        const auto found = read_tree(store.folder(layer.diff_id));
        remove_tree(AT_FDCWD, root);
        RC_ASSERT(found.size() == wanted.size());
        for (const auto& [entry, node] : wanted) {
            RC_LOG() << testing::PrintToString(entry) << "\nwanted " << node << "\nfound  " << found.at(entry) << "\n";
            RC_ASSERT(found.at(entry) == node);
        }
    });
    EXPECT_TRUE(holds);
}

/// Whatever a damaged or hostile archive holds, unpacking it ends with a layer or an Error, and nothing outside
/// changes.
TEST_F(UnpackProperty, NoArchiveHoweverDamagedTouchesAnythingOutside) {
    write_text(path + "/outside", "untouched");
    LayerStore store(path + "/layers", 64 << 20);
    const bool holds = rc::check("damaged archives", [&] {
        Entries entries = any_tree();
        const std::string outside = path + "/outside";
        const int hostile = *rc::gen::inRange(0, 6);
        for (int i = 0; i < hostile; ++i) {
            const std::string where =
                *rc::gen::element<std::string>("a", "b", "a/b", "a/outside", "../outside", "/outside",
                                               "b/../../outside", ".wh.a", "a/.wh.outside", "a/.wh..wh..opq");
            const Node what =
                *rc::gen::element(symlink_to(".."), symlink_to("../.."), symlink_to(outside), hardlink_to(outside),
                                  hardlink_to("a"), hardlink_to("a/outside"), file("evil"), folder());
            entries.insert(entries.begin() + *rc::gen::inRange<long>(0, static_cast<long>(entries.size()) + 1),
                           {where, what});
        }
        std::string tar = make_tar(entries, *rc::gen::element(Pack::none, Pack::gzip, Pack::zstd));
        const int damage = *rc::gen::inRange(0, 4);
        for (int i = 0; i < damage && !tar.empty(); ++i) {
            tar[*rc::gen::inRange<size_t>(0, tar.size())] = *rc::gen::arbitrary<char>();
        }
        Digest made;
        try {
            made = store.unpack(file_with(tar).get(), {}).diff_id;
        } catch (const Error&) {
        }
        if (!made.empty()) (void)store.remove(made);
        RC_ASSERT(names_in(path + "/layers").empty());
        RC_ASSERT(names_in(path) == (std::vector<std::string>{"layers", "outside"}));
        RC_ASSERT(read_text(outside) == "untouched");
    });
    EXPECT_TRUE(holds);
}

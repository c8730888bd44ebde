// swift-tools-version: 6.0

import PackageDescription

let package = Package(
    name: "interop-adapter",
    platforms: [.macOS(.v15)],
    dependencies: [.package(name: "multicast-poke", path: "../../../client/swift")],
    targets: [
        .executableTarget(name: "adapter", dependencies: [.product(name: "MulticastPoke", package: "multicast-poke")])
    ],
    swiftLanguageModes: [.v6]
)

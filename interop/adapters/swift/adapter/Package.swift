// swift-tools-version: 6.0

import PackageDescription

let package = Package(
    name: "interop-adapter",
    platforms: [.macOS(.v15)],
    dependencies: [.package(path: "../../../../client/swift")],
    targets: [
        .executableTarget(name: "adapter", dependencies: [.product(name: "MulticastPoke", package: "swift")])
    ],
    swiftLanguageModes: [.v6]
)
